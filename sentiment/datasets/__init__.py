"""Dataset versions: what a model is trained and measured on, immutable and known by name, number and digest."""

from __future__ import annotations

from pathlib import Path

from sentiment.datasets.example import Example
from sentiment.datasets.source.examples import ReadProgress, read_examples
from sentiment.datasets.storage.folder import FolderObjects
from sentiment.datasets.storage.manifest import DatasetVersion
from sentiment.datasets.storage.store import DatasetStore
from sentiment.errors import InvalidInput
from sentiment.settings import Settings

__all__ = ["DatasetStore", "DatasetVersion", "Example", "ReadProgress", "open_datasets", "read_examples"]


def open_datasets(place: Settings | str | Path, endpoint: str | None = None) -> DatasetStore:
    """Return the store that the settings name, or that is at `place`: a folder, or `s3://bucket/prefix`. Touches none.

    `endpoint` is the S3 server's address, for a `place` that is not settings; empty means Amazon's.

    Raises:
        InvalidInput: an address that is neither.
    """
    if isinstance(place, Settings):
        return open_datasets(place.datasets_uri, place.s3_endpoint)
    if "://" not in (uri := str(place)):
        return DatasetStore(FolderObjects(Path(uri).expanduser().absolute()))
    if uri.startswith("s3://"):
        from sentiment.datasets.storage.s3 import S3Objects  # here: a local store shall not pay for the import of boto3

        return DatasetStore(S3Objects(uri, endpoint))
    raise InvalidInput(f"{uri} cannot hold datasets: give a folder, or s3://bucket/prefix.", "datasets")
