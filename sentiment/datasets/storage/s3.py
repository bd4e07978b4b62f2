"""Objects in S3, or in any server that speaks it and honours conditional writes."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import secrets
from collections.abc import Iterator
from typing import Any, Final

from sentiment.access.logins import error_without_login, without_login
from sentiment.errors import DatasetsUnavailable, InvalidInput

_ABSENT: Final = ("NoSuchKey", "404", "NotFound")
_TAKEN: Final = ("PreconditionFailed", "412", "ConditionalRequestConflict", "409")
_REFUSED: Final = ("AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "400")
_FULL: Final = ("QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "507", "InsufficientCapacity")


def parse_s3(address: str) -> tuple[str, str]:
    """Split `s3://bucket/some/key` into bucket and key, which may be empty.

    Raises:
        InvalidInput: it names no bucket.
    """
    bucket, _, key = address.removeprefix("s3://").partition("/")
    if not bucket:
        raise InvalidInput(f"{address} has no bucket: write s3://bucket/prefix.", "datasets")
    return bucket, key.strip("/")


def connect(endpoint: str | None) -> Any:
    """Return boto3's client; keys and region come from its own chain (environment, ~/.aws, the machine's role).

    Raises:
        InvalidInput: boto3 is not installed, or `endpoint` is no address.
    """
    try:
        import boto3
        from botocore.config import Config
    except ModuleNotFoundError as exc:
        raise InvalidInput("s3:// needs boto3: pip install 'undertone[s3]'.", "datasets") from exc
    config = Config(
        connect_timeout=5,
        read_timeout=60,
        retries={"mode": "standard", "total_max_attempts": 3},
        # Servers other than Amazon's refuse or garble the newer checksums; shards carry their own SHA-256.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path"} if endpoint else {},
    )
    session = boto3.session.Session()
    region = session.region_name or "us-east-1"
    try:
        return session.client("s3", endpoint_url=endpoint or None, region_name=region, config=config)
    except ValueError as exc:
        address, reason = without_login(endpoint or ""), error_without_login(exc, endpoint or "")
        raise InvalidInput(f"{address!r} is not the address of an S3 server ({reason}).", "s3_endpoint") from exc


@contextlib.contextmanager
def explained(place: str, endpoint: str | None) -> Iterator[None]:
    """Turn what boto3 raises into DatasetsUnavailable that names `place` and the remedy."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as exc:
        raise DatasetsUnavailable(_explanation(place, exc)) from exc
    except BotoCoreError as exc:
        where = without_login(endpoint) if endpoint else "its default address"
        raise DatasetsUnavailable(
            f"{place} does not answer at {where} ({error_without_login(exc, endpoint or '')}): check that the server "
            "runs, the network, UNDERTONE_S3_ENDPOINT, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        ) from exc


class S3Objects:
    """Objects below a prefix of a bucket. It connects at the first use, not before."""

    def __init__(self, address: str, endpoint: str | None = None) -> None:
        self._bucket, prefix = parse_s3(address)
        self._prefix = prefix + "/" if prefix else ""
        self._endpoint = endpoint
        self._connected: Any = None
        self._honest = False
        self.place = f"s3://{self._bucket}/{prefix}".rstrip("/")

    def create(self, key: str, data: bytes) -> bool:
        """Write on the condition that nothing is there; a server that ignores the condition is found out first."""
        if not self._honest:
            self._probe()
            self._honest = True
        return self._create(key, data)

    def keep(self, key: str, data: bytes) -> None:
        """Write `data`, unless an object of the same size and MD5 stands there."""
        md5 = hashlib.md5(data, usedforsecurity=False)
        with self._explained():
            if self._etag(key) != (len(data), md5.hexdigest()):
                self._put(key, data)

    def read(self, key: str) -> bytes | None:
        """Return the object's bytes, or None where there is none."""
        from botocore.exceptions import ClientError

        with self._explained():
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)
            except ClientError as exc:
                if _code(exc) in _ABSENT:
                    return None
                raise
            data: bytes = answer["Body"].read()
            return data

    def sizes(self, prefix: str) -> dict[str, int]:
        """Return the objects below a prefix."""
        with self._explained():
            entries = [entry for page in self._pages(prefix) for entry in page.get("Contents", ())]
        return {entry["Key"].removeprefix(self._prefix): entry["Size"] for entry in entries}

    def folders(self) -> list[str]:
        """Return the common prefixes at the top."""
        with self._explained():
            entries = [entry for page in self._pages("", Delimiter="/") for entry in page.get("CommonPrefixes", ())]
        return sorted(entry["Prefix"].removeprefix(self._prefix).rstrip("/") for entry in entries)

    def address(self, key: str) -> str:
        """Return the object's s3:// address."""
        return f"s3://{self._bucket}/{self._prefix}{key}"

    @property
    def _client(self) -> Any:
        if self._connected is None:
            self._connected = connect(self._endpoint)
        return self._connected

    def _probe(self) -> None:
        key = f".probe/{secrets.token_hex(8)}"
        try:
            first, second = self._create(key, b"first"), self._create(key, b"second")
        finally:
            with contextlib.suppress(DatasetsUnavailable), self._explained():
                self._client.delete_object(Bucket=self._bucket, Key=self._prefix + key)
        if not first or second:
            raise DatasetsUnavailable(
                f"{self.place}: the S3 server ignores If-None-Match, so two pushes at once could overwrite each other. "
                "Nothing was pushed. Use Amazon S3 or a server with conditional writes, or a folder."
            )

    def _create(self, key: str, data: bytes) -> bool:
        from botocore.exceptions import ClientError

        with self._explained():
            try:
                self._put(key, data, IfNoneMatch="*")
            except ClientError as exc:
                if _code(exc) in _TAKEN:
                    return False
                raise
        return True

    def _put(self, key: str, data: bytes, **condition: str) -> None:
        md5 = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        self._client.put_object(Bucket=self._bucket, Key=self._prefix + key, Body=data, ContentMD5=md5, **condition)

    def _etag(self, key: str) -> tuple[int, str] | None:
        from botocore.exceptions import ClientError

        try:
            answer = self._client.head_object(Bucket=self._bucket, Key=self._prefix + key)
        except ClientError as exc:
            if _code(exc) in _ABSENT:
                return None
            raise
        return answer["ContentLength"], answer["ETag"].strip('"')

    def _pages(self, prefix: str, **options: str) -> Iterator[Any]:
        paginator = self._client.get_paginator("list_objects_v2")
        return iter(paginator.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix, **options))

    def _explained(self) -> contextlib.AbstractContextManager[None]:
        return explained(self.place, self._endpoint)


def _code(exc: Any) -> str:
    return str(exc.response.get("Error", {}).get("Code", ""))


def _explanation(place: str, exc: Any) -> str:
    code = _code(exc)
    message = exc.response.get("Error", {}).get("Message") or code
    if code == "NoSuchBucket":
        return f"{place}: there is no such bucket. Make it, or set UNDERTONE_DATASETS to another."
    if code in _FULL:
        return f"{place} is full ({message}): free some space, or set UNDERTONE_DATASETS to another place."
    if code in _REFUSED:
        return (
            f"{place} refuses us ({message}): check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the bucket's policy."
        )
    return f"{place} answers with an error ({message}): try again later, or look into the server's log."
