"""The places that dataset versions are kept in, each with a hand that can damage what is there."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any, Protocol

from sentiment.datasets import DatasetStore, open_datasets
from tests.contract.s3_servers import BUCKET, client_of


class Place(Protocol):
    """A store, and its objects behind its back."""

    def open(self) -> DatasetStore:
        """Open the store anew, as another process would."""

    def keys(self) -> list[str]:
        """Return all keys, sorted."""

    def read(self, key: str) -> bytes:
        """Return an object."""

    def write(self, key: str, data: bytes) -> None:
        """Put an object, whatever is there."""

    def delete(self, key: str) -> None:
        """Remove an object."""


class FolderPlace:
    """A local folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def open(self) -> DatasetStore:
        return open_datasets(self._root)

    def keys(self) -> list[str]:
        return sorted(str(path.relative_to(self._root)) for path in self._root.rglob("*") if path.is_file())

    def read(self, key: str) -> bytes:
        return (self._root / key).read_bytes()

    def write(self, key: str, data: bytes) -> None:
        path = self._root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(data)

    def delete(self, key: str) -> None:
        (self._root / key).unlink()


class S3Place:
    """A prefix of its own in a bucket."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._prefix = f"sets-{uuid.uuid4().hex}/"
        self._client: Any = client_of(endpoint)

    def open(self) -> DatasetStore:
        return open_datasets(f"s3://{BUCKET}/{self._prefix}", self._endpoint)

    def keys(self) -> list[str]:
        found = self._client.list_objects_v2(Bucket=BUCKET, Prefix=self._prefix).get("Contents", ())
        return sorted(entry["Key"].removeprefix(self._prefix) for entry in found)

    def read(self, key: str) -> bytes:
        data: bytes = self._client.get_object(Bucket=BUCKET, Key=self._prefix + key)["Body"].read()
        return data

    def write(self, key: str, data: bytes) -> None:
        self._client.put_object(Bucket=BUCKET, Key=self._prefix + key, Body=data)

    def delete(self, key: str) -> None:
        self._client.delete_object(Bucket=BUCKET, Key=self._prefix + key)
