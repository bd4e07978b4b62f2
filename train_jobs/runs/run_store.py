"""What a run is known by, beside its checkpoints: small files in its storage, a folder or S3, for any head to read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sentiment.datasets.storage.folder import FolderObjects
from sentiment.errors import DatasetsUnavailable, Unavailable

_S3: Final = "s3://"


class RunStore:
    """The files of one run, at `place`: a folder's path, or s3://BUCKET/PREFIX of the server at `endpoint`.

    Each is written whole or not at all.
    """

    def __init__(self, place: str, endpoint: str | None = None) -> None:
        self.place = place
        self._objects = _objects_at(place, endpoint)

    def read(self, name: str) -> str | None:
        """Return a file's text, None if there is none. Raises Unavailable."""
        with self._told("read"):
            found: bytes | None = self._objects.read(name)
        return None if found is None else found.decode()

    def write(self, name: str, text: str) -> None:
        """Write a file, over what is there. Raises Unavailable."""
        with self._told("written"):
            self._objects.keep(name, text.encode())

    def create(self, name: str, text: str) -> bool:
        """Write a file unless there is one; say whether it was written.

        Raises:
            Unavailable: the place is away, or keeps no such promise: an S3 server that ignores If-None-Match.
        """
        with self._told("written, with If-None-Match on S3"):
            return bool(self._objects.create(name, text.encode()))

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, in order, without the folder's. Raises Unavailable."""
        with self._told("read"):
            return sorted(name.removeprefix(f"{folder}/") for name in self._objects.sizes(f"{folder}/"))

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except DatasetsUnavailable as exc:
            cause = exc.__cause__ or exc
            reason = getattr(cause, "strerror", None) or str(cause)
            raise Unavailable(
                f"{self.place} cannot be {what} ({reason}): is the storage up, with room, and are its rights and keys "
                "right? --storage names another"
            ) from exc


def _objects_at(place: str, endpoint: str | None) -> Any:
    if not place.startswith(_S3):
        return FolderObjects(Path(place))
    from sentiment.datasets.storage.s3 import S3Objects  # here: a folder shall not pay for the import of boto3

    return S3Objects(place, endpoint)
