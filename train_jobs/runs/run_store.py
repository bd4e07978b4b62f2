"""The small files of a run beside its checkpoints, in a folder or on S3, where every driver can read them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sentiment.datasets.storage.folder import FolderObjects
from sentiment.errors import DatasetsUnavailable, Unavailable

_S3: Final = "s3://"


class RunStore:
    """The files of one run in a folder, or under s3://BUCKET/PREFIX; each is written whole or not at all."""

    def __init__(self, place: str, endpoint: str | None = None) -> None:
        self.place = place
        self._objects = _open_objects(place, endpoint)

    def read(self, name: str) -> str | None:
        """Return a file's text, None if there is none. Raises Unavailable."""
        with self._told("read"):
            content: bytes | None = self._objects.read(name)
        return None if content is None else content.decode()

    def write(self, name: str, text: str) -> None:
        """Write or replace a file. Raises Unavailable."""
        with self._told("written"):
            self._objects.keep(name, text.encode())

    def create(self, name: str, text: str) -> bool:
        """Write a file unless it exists; return whether it was written.

        Raises:
            Unavailable: the storage does not answer, or is an S3 server that ignores If-None-Match.
        """
        with self._told("written, with If-None-Match on S3"):
            return bool(self._objects.create(name, text.encode()))

    def names(self, folder: str) -> list[str]:
        """Return the sorted names of the files in a folder, without the folder. Raises Unavailable."""
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
                f"{self.place} cannot be {what} ({reason}): check that the storage is up and has free space, and that "
                "its permissions and keys are right, or name another --storage"
            ) from exc


def _open_objects(place: str, endpoint: str | None) -> Any:
    if not place.startswith(_S3):
        return FolderObjects(Path(place))
    from sentiment.datasets.storage.s3 import S3Objects  # here: a folder shall not pay for the import of boto3

    return S3Objects(place, endpoint)
