"""What a dataset store stands on: bytes under keys, written whole or not at all. Two kinds: a folder, S3."""

from __future__ import annotations

from typing import Protocol


class Objects(Protocol):
    """Immutable objects under keys like `tweets/versions/00000003.json`.

    Every method raises DatasetsUnavailable, naming the store and the remedy, when it is away, full or refuses us.
    """

    place: str  #: what messages call the store: the folder, or s3://bucket/prefix

    def create(self, key: str, data: bytes) -> bool:
        """Write an object that must not exist yet. Return False, and change nothing, if it does."""

    def keep(self, key: str, data: bytes) -> None:
        """See to it that `key`, which names its content, holds `data`; mend it if it holds anything else."""

    def read(self, key: str) -> bytes | None:
        """Return an object's bytes, or None where there is none."""

    def sizes(self, prefix: str) -> dict[str, int]:
        """Return every key that begins with `prefix`, a folder with its slash, and its object's size in bytes."""

    def folders(self) -> list[str]:
        """Return the names of the folders at the top."""

    def address(self, key: str) -> str:
        """Return where others find the object: a path, or an s3:// address."""
