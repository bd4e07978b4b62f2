"""Copy a dataset version out of the store: its Parquet files, or all rows as one table."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from sentiment.datasets.example import Example
from sentiment.datasets.storage.manifest import SCHEMA, DatasetVersion, encode
from sentiment.datasets.storage.shards import is_sound
from sentiment.errors import Conflict, InvalidInput
from sentiment.tables import STRING, WRITTEN_ENDINGS, write_table

MANIFEST: Final = "manifest.json"
_FILE: Final = re.compile(r"\.[A-Za-z][A-Za-z0-9]*")  # neither the version in v1.2 nor the number in big.reviews@3


def write_folder(version: DatasetVersion, shards: Iterable[bytes], folder: Path) -> Path:
    """Write the manifest and the shards, in order, to `folder`, which appears whole or not at all; return it.

    Raises:
        Conflict: something else stands there. The same version there already is left as it is.
        InvalidInput: it ends as a file does that cannot be made, or it cannot be written there.
    """
    if _holds(folder, version):
        return folder
    if _FILE.fullmatch(folder.suffix):
        raise InvalidInput(
            f"{folder} ends in {folder.suffix}, which no file of a version can: name a file that ends in one of "
            f"{', '.join(WRITTEN_ENDINGS)}, or a folder without an ending.",
            "out",
        )
    if folder.exists():
        raise Conflict(f"{folder} exists and does not hold {version.ref} as it is: choose another place with --out.")
    draft = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.draft")

    def write() -> None:
        """Fill the draft and put it in its place."""
        draft.mkdir(parents=True)
        for place, data in enumerate(shards):
            (draft / _file(place)).write_bytes(data)
        (draft / MANIFEST).write_bytes(encode(version))
        draft.rename(folder)

    try:
        _written(folder, write)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def write_file(examples: Iterator[Example], path: Path) -> Path:
    """Write the examples to a CSV, TSV, JSONL or Parquet file, by its ending, whole or not at all; return it.

    Raises:
        Conflict: there is such a file.
        InvalidInput: an unknown ending, or it cannot be written there.
    """
    if path.exists():
        raise Conflict(f"{path} exists: choose another place with --out, or move it away.")
    rows: Iterator[dict[str, Any]] = ({name: getattr(example, name) for name in SCHEMA} for example in examples)
    _written(path, lambda: write_table(path, dict.fromkeys(SCHEMA, STRING), rows))
    return path


def _file(place: int) -> str:
    return f"{place:05d}.parquet"


def _holds(folder: Path, version: DatasetVersion) -> bool:
    """Say whether the folder is this version already, whole."""
    if not (folder / MANIFEST).is_file() or (folder / MANIFEST).read_bytes() != encode(version):
        return False
    files = [(folder / _file(place), shard) for place, shard in enumerate(version.shards)]
    return all(file.is_file() and is_sound(file.read_bytes(), shard) for file, shard in files)


def _written(path: Path, write: Callable[[], None]) -> None:
    """Write, and let what the disk says be InvalidInput, naming the place."""
    try:
        write()
    except OSError as exc:
        raise InvalidInput(
            f"{path} cannot be written ({exc.strerror}): choose another place with --out.", "out"
        ) from exc
