"""Fetch a source from S3 into a local folder: one file, or all files below a prefix."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final

from sentiment.datasets.storage.s3 import connect, explained, parse_s3
from sentiment.errors import DatasetsUnavailable, InvalidInput
from sentiment.tables import ENDINGS, is_hidden

_WANTED: Final = (*ENDINGS, ".txt")


def fetch(address: str, endpoint: str | None, folder: Path) -> Path:
    """Copy what `address` names into `folder` and return the copy: a file, or a folder.

    Raises:
        InvalidInput: there is nothing that can be read.
        DatasetsUnavailable: the server is away or refuses us, or the local disk is full.
    """
    bucket, key = parse_s3(address)
    with explained(address, endpoint):
        client = connect(endpoint)
        keys = list(_keys(client, bucket, key))
        if not keys:
            raise InvalidInput(f"There is nothing to read at {address}: no file that ends in {', '.join(_WANTED)}.")
        try:
            for each in keys:
                _copy(client, bucket, each, folder / _below(key, each))
        except OSError as exc:
            raise DatasetsUnavailable(
                f"{address} cannot be copied to {folder} ({exc.strerror}): make room there, or set TMPDIR to a folder "
                "with more."
            ) from exc
    return folder / _below(key, key) if keys == [key] else folder


def _keys(client: Any, bucket: str, key: str) -> Iterator[str]:
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key):
        for entry in page.get("Contents", ()):
            name: str = entry["Key"]
            belongs = name == key or (_is_below(key, name) and not is_hidden(_below(key, name)))
            if belongs and name.lower().endswith(_WANTED) and ".." not in PurePosixPath(name).parts:
                yield name


def _is_below(key: str, name: str) -> bool:
    return not key or name.startswith(key + "/")


def _below(key: str, name: str) -> str:
    return name.removeprefix(key).lstrip("/") or PurePosixPath(key).name


def _copy(client: Any, bucket: str, key: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        for chunk in client.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(1 << 20):
            file.write(chunk)
