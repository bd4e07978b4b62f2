"""A folder on disk or under `s3://`, for the inputs and outputs of bulk scoring. Files appear whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from sentiment.errors import InvalidInput, Unavailable, no_room
from sentiment.tables import ENDINGS, is_hidden, is_table, open_table
from train_jobs.runtime.storage import s3_at

if TYPE_CHECKING:
    from pyarrow import fs

_S3: Final = "s3://"
_REMEDY: Final = {
    True: "check that its server is up, the bucket exists, and the keys are right",
    False: "check that its disk is mounted, its path consists of folders, and this user has the permission",
}


@dataclass(frozen=True)
class InputFile:
    """A file to score; size and time of modification tell whether it is still the same file."""

    name: str
    """Path relative to its location."""
    bytes: int
    modified_ns: int
    number: int = 0
    """Part of the names of its shards; an unchanged file keeps it."""

    def is_as(self, other: InputFile) -> bool:
        """Return whether this is the other file, with the same content as far as size and time tell."""
        return replace(self, number=0) == replace(other, number=0)


@dataclass(frozen=True)
class Location:
    """A folder or a file, on disk or on S3.

    It holds no connection and can be sent to other processes. All methods raise Unavailable, naming the location, if it
    cannot be read or written.
    """

    uri: str
    """A path or `s3://bucket/prefix`."""
    endpoint: str | None = None
    """Address of the S3 server; None for Amazon's."""

    def inputs(self) -> list[InputFile]:
        """Return the tables in it, sorted by name and numbered in that order, without hidden files.

        Raises:
            InvalidInput: nothing is there.
        """
        with self._reporting("read"):
            tables = [info for info in self._listed("", recursive=True) if info.is_file and is_table(info.base_name)]
            files = [InputFile(self._relative(info.path), info.size, info.mtime_ns or 0) for info in tables]
        if not files:
            if not self.is_remote and not Path(self.uri).exists():
                raise InvalidInput(f"There is no file or folder {self.uri}.", "source")
            if not self.is_remote and Path(self.uri).is_file():
                open_table(Path(self.uri))  # raises, and says what the file is
            raise InvalidInput(f"There is no table in {self.uri}: no file ends in {', '.join(ENDINGS)}.", "source")
        ordered = sorted(files, key=lambda file: file.name)
        return [replace(file, number=number) for number, file in enumerate(ordered)]

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in `folder` without drafts; none if the folder does not exist."""
        with self._reporting("read"):
            listed = self._listed(folder, recursive=False)
            return sorted(info.base_name for info in listed if info.is_file and not info.base_name.startswith("."))

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file, None if it does not exist."""
        with self._reporting("read"):
            filesystem, root = self._opened()
            try:
                with filesystem.open_input_stream(_join(root, name)) as stream:
                    content: bytes = stream.read()
            except FileNotFoundError:
                return None
            return content

    def put(self, name: str, source: Path) -> None:
        """Store or replace `name` with the file `source`, whole or not at all.

        On disk this is a rename; on S3 an upload becomes visible when it is complete.
        """
        with self._reporting("written"):
            if self.is_remote:
                self._upload(name, source)
            else:
                self._rename_into(Path(self.uri) / name, source)

    def write(self, name: str, content: bytes) -> None:
        """Store bytes as `put` stores a file."""
        with draft_folder() as folder:
            source = folder / "content"
            source.write_bytes(content)
            self.put(name, source)

    def remove(self, name: str) -> None:
        """Delete a file, or a folder with its content, if it exists."""
        from pyarrow import fs

        with self._reporting("written"):
            filesystem, root = self._opened()
            path = _join(root, name)
            kind = filesystem.get_file_info(path).type
            if kind == fs.FileType.Directory:
                filesystem.delete_dir(path)
            elif kind == fs.FileType.File:
                filesystem.delete_file(path)

    def sweep(self, folder: str) -> None:
        """Delete drafts that a killed process left in `folder`; interrupted uploads to S3 leave none."""
        with self._reporting("written"):
            for draft in () if self.is_remote else (Path(self.uri) / folder).glob(".*.draft"):
                draft.unlink(missing_ok=True)

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """Yield the path of a file on this machine: the file itself, or a temporary copy of a remote one."""
        if not self.is_remote:
            yield _within(Path(self.uri), name)
            return
        with draft_folder() as folder:
            copy = folder / PurePosixPath(name or self.uri).name
            with self._reporting("read"):
                filesystem, root = self._opened()
                with filesystem.open_input_stream(_join(root, name)) as stream, copy.open("wb") as file:
                    shutil.copyfileobj(stream, file)
            yield copy

    @property
    def is_remote(self) -> bool:
        """Whether it lies under `s3://`."""
        return self.uri.startswith(_S3)

    def _opened(self) -> tuple[fs.FileSystem, str]:
        from pyarrow import fs

        if self.is_remote:
            return s3_at(self.endpoint), self.uri.removeprefix(_S3)
        return fs.LocalFileSystem(), self.uri

    def _listed(self, folder: str, *, recursive: bool) -> list[Any]:
        from pyarrow import fs

        filesystem, root = self._opened()
        path = _join(root, folder)
        info = filesystem.get_file_info(path)
        if info.type == fs.FileType.File:
            return [info]
        entries = filesystem.get_file_info(fs.FileSelector(path, recursive=recursive, allow_not_found=True))
        return [entry for entry in entries if not is_hidden(self._relative(entry.path))]

    def _relative(self, path: str) -> str:
        """Return a listed path relative to this location; empty if the location is that file itself."""
        root = self.uri.removeprefix(_S3).rstrip("/")
        return path.removeprefix(root).lstrip("/")

    def _upload(self, name: str, source: Path) -> None:
        filesystem, root = self._opened()
        with source.open("rb") as file, filesystem.open_output_stream(_join(root, name)) as stream:
            shutil.copyfileobj(file, stream)

    def _rename_into(self, target: Path, source: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.draft")
        try:
            with source.open("rb") as file, draft.open("xb") as copy:
                shutil.copyfileobj(file, copy)
                copy.flush()
                os.fsync(copy.fileno())
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)

    @contextmanager
    def _reporting(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            if no_room(exc):
                raise Unavailable(self._full_disk_message(what)) from exc
            raise Unavailable(f"{self.uri} cannot be {what} ({exc}); {_REMEDY[self.is_remote]}") from exc

    def _full_disk_message(self, what: str) -> str:
        """Return the message about a full disk: the location's own, or the one of temporary files."""
        if what == "read" or self.is_remote:
            return _full_temporary_disk_message()
        return f"The disk of {self.uri} is full: free some space, then run the same command again; it continues."


@contextmanager
def draft_folder() -> Iterator[Path]:
    """Yield a temporary folder. Raises Unavailable, with the remedy, if its disk is full."""
    try:
        with tempfile.TemporaryDirectory(prefix="undertone-score-") as folder:
            yield Path(folder)
    except OSError as exc:
        if no_room(exc):
            raise Unavailable(_full_temporary_disk_message()) from exc
        raise


def place_at(uri: str, endpoint: str | None) -> Location:
    """Return the location that a user named: a path, made absolute, or an `s3://` address.

    Raises:
        InvalidInput: it is empty, or has another scheme.
    """
    if not uri.strip():
        raise InvalidInput("The path is empty: name a file, a folder or s3://bucket/prefix.", "source")
    if uri.startswith(_S3):
        return Location(uri.rstrip("/"), endpoint)
    if "://" in uri:
        raise InvalidInput(f"{uri}: only paths and s3://bucket/prefix can be read and written.", "source")
    return Location(str(Path(uri).expanduser().absolute()))


def _full_temporary_disk_message() -> str:
    return (
        f"The disk of {tempfile.gettempdir()}, which holds temporary files, is full: free some space, or set TMPDIR to "
        "another folder, then run the same command again; it continues."
    )


def _join(root: str, name: str) -> str:
    return f"{root}/{name}" if name else root


def _within(root: Path, name: str) -> Path:
    return root / name if name else root
