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
    True: "is its server up, does the bucket exist, do the keys fit?",
    False: "is its disk there, is all of its path a folder, and may this user do it?",
}


@dataclass(frozen=True)
class InputFile:
    """A file to score: `name` is relative to its place, size and time tell whether it is still the same file.

    `number` names its shards; a file keeps it for as long as it is the same.
    """

    name: str
    bytes: int
    modified_ns: int
    number: int = 0

    def is_as(self, other: InputFile) -> bool:
        """Say whether this is the other file, with the same content as far as size and time tell."""
        return replace(self, number=0) == replace(other, number=0)


@dataclass(frozen=True)
class Location:
    """A folder or a file, on disk or `s3://bucket/prefix`; `endpoint` is the S3 server's address, None Amazon's.

    Holds no connection, so that it travels to other processes. Every method raises Unavailable, naming the place, when
    it cannot be read or written.
    """

    uri: str
    endpoint: str | None = None

    def inputs(self) -> list[InputFile]:
        """Return the tables in it, by name, and numbered so; hidden ones left out.

        Raises:
            InvalidInput: nothing is there.
        """
        with self._explained("read"):
            found = [info for info in self._listed("", recursive=True) if info.is_file and is_table(info.base_name)]
            files = [InputFile(self._relative(info.path), info.size, info.mtime_ns or 0) for info in found]
        if not files:
            if not self.is_remote and not Path(self.uri).exists():
                raise InvalidInput(f"There is no file or folder {self.uri}.", "source")
            if not self.is_remote and Path(self.uri).is_file():
                open_table(Path(self.uri))  # refuses it, and says what it is
            raise InvalidInput(f"There is no table in {self.uri}: no file ends in {', '.join(ENDINGS)}.", "source")
        ordered = sorted(files, key=lambda file: file.name)
        return [replace(file, number=number) for number, file in enumerate(ordered)]

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in `folder`, drafts left out; none if it does not exist."""
        with self._explained("read"):
            listed = self._listed(folder, recursive=False)
            return sorted(info.base_name for info in listed if info.is_file and not info.base_name.startswith("."))

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file, None if it does not exist."""
        with self._explained("read"):
            filesystem, root = self._opened()
            try:
                with filesystem.open_input_stream(_join(root, name)) as stream:
                    content: bytes = stream.read()
            except FileNotFoundError:
                return None
            return content

    def put(self, name: str, source: Path) -> None:
        """Store the file `source` under `name`, over what is there: whole, or not at all.

        On disk by renaming, under `s3://` by an upload, which is seen once it is complete.
        """
        with self._explained("written"):
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
        """Delete a file or a folder with all that is in it; nothing there is as well."""
        from pyarrow import fs

        with self._explained("written"):
            filesystem, root = self._opened()
            path = _join(root, name)
            kind = filesystem.get_file_info(path).type
            if kind == fs.FileType.Directory:
                filesystem.delete_dir(path)
            elif kind == fs.FileType.File:
                filesystem.delete_file(path)

    def sweep(self, folder: str) -> None:
        """Delete drafts that a kill left in `folder`; an upload that was cut leaves none."""
        with self._explained("written"):
            for draft in () if self.is_remote else (Path(self.uri) / folder).glob(".*.draft"):
                draft.unlink(missing_ok=True)

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """Give the path of a file on this machine: the file itself, or a copy for as long as it is needed."""
        if not self.is_remote:
            yield _within(Path(self.uri), name)
            return
        with draft_folder() as folder:
            copy = folder / PurePosixPath(name or self.uri).name
            with self._explained("read"):
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
        found = filesystem.get_file_info(fs.FileSelector(path, recursive=recursive, allow_not_found=True))
        return [entry for entry in found if not is_hidden(self._relative(entry.path))]

    def _relative(self, path: str) -> str:
        """Return a listed path from this place on; empty if the place is that file itself."""
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
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            if no_room(exc):
                raise Unavailable(self._full(what)) from exc
            raise Unavailable(f"{self.uri} cannot be {what} ({exc}); {_REMEDY[self.is_remote]}") from exc

    def _full(self, what: str) -> str:
        """Return what to say of a full disk: the place's own, or that of the copies that are made of what is remote."""
        if what == "read" or self.is_remote:
            return _drafts_full()
        return f"The disk of {self.uri} is full: make room there; what is done is kept, the same command continues."


@contextmanager
def draft_folder() -> Iterator[Path]:
    """Give a temporary folder; where its disk is full, Unavailable says what helps there."""
    try:
        with tempfile.TemporaryDirectory(prefix="undertone-score-") as folder:
            yield Path(folder)
    except OSError as exc:
        if no_room(exc):
            raise Unavailable(_drafts_full()) from exc
        raise


def place_at(uri: str, endpoint: str | None) -> Location:
    """Return the place that a user named: a path, made absolute, or an `s3://` address.

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


def _drafts_full() -> str:
    return (
        f"The disk of {tempfile.gettempdir()}, where files are made ready, is full: make room there, or set TMPDIR to "
        "a folder with more; what is done is kept, the same command continues."
    )


def _join(root: str, name: str) -> str:
    return f"{root}/{name}" if name else root


def _within(root: Path, name: str) -> Path:
    return root / name if name else root
