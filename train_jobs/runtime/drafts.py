"""Files and folders that appear whole or not at all: made beside their place, put there once nothing can go wrong."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def draft_of(folder: Path) -> Iterator[Path]:
    """Yield an empty folder to fill; with the block it takes the place of `folder`, or goes if the block fails."""
    draft = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.draft")
    draft.mkdir(parents=True)
    try:
        yield draft
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_whole(path: Path, text: str) -> None:
    """Write `text` in UTF-8 to `path`, over what is there; a full disk or a kill leaves that as it was."""
    draft = draft_beside(path)
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def draft_beside(path: Path) -> Path:
    """Return where `write_whole` makes a file ready."""
    return path.with_name(f".{path.name}.draft")
