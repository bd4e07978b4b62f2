"""Files and folders that appear whole or not at all: written beside their target, then renamed."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def draft_of(folder: Path) -> Iterator[Path]:
    """Yield an empty folder to fill; at the end it replaces `folder`, or is deleted if the block failed."""
    draft = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.draft")
    draft.mkdir(parents=True)
    try:
        yield draft
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_whole(path: Path, text: str) -> None:
    """Write or replace a UTF-8 file; after a full disk or a kill the old content is still there."""
    draft = draft_beside(path)
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def draft_beside(path: Path) -> Path:
    """Return the path of the draft that `write_whole` renames."""
    return path.with_name(f".{path.name}.draft")
