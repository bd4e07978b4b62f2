"""The folder of the embedded index: one owner, and one generation of content that counts.

lock        locked by the process that owns the folder; freed by the kernel when it dies
current     names the generation that counts, and its schema; replaced whole
3f9c…/      the generations; others than the current one are left over, and removed
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
from pathlib import Path
from typing import Final

from sentiment.errors import Unavailable
from sentiment.insight.embedded.schema import SCHEMA_VERSION

_CURRENT: Final = "current"


class IndexFolder:
    """A folder that this process owns until `close`; it holds people's words, so that only its user may read it."""

    def __init__(self, path: Path) -> None:
        """Own a folder, made if missing.

        Raises:
            Unavailable: another process owns it, or the folder cannot be made.
        """
        self._path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.chmod(0o700)
            self._lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise Unavailable(f"The insight index cannot be created in {path}: {exc.strerror}.") from exc
        self._own()

    def current(self) -> Path | None:
        """Return the current generation, None where there is none that this code can read."""
        try:
            name, version = json.loads((self._path / _CURRENT).read_text())
        except (OSError, ValueError, TypeError):
            return None
        generation = self._path / str(name)
        return generation if version == SCHEMA_VERSION and generation.is_dir() else None

    def fresh(self) -> Path:
        """Make an empty generation."""
        generation = self._path / secrets.token_hex(8)
        generation.mkdir(mode=0o700)
        return generation

    def make_current(self, generation: Path) -> None:
        """Make a generation the current one, and remove the others."""
        draft = self._path / f"{_CURRENT}.draft"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
            json.dump([generation.name, SCHEMA_VERSION], file)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self._path / _CURRENT)
        self._sync()
        self.remove_left_over()

    def remove_left_over(self) -> None:
        """Remove every generation but the current one."""
        current = self.current()
        for path in self._path.iterdir():
            if path.is_dir() and path != current:
                shutil.rmtree(path, ignore_errors=True)

    def close(self) -> None:
        """Release the folder."""
        os.close(self._lock)

    def _own(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            os.close(self._lock)
            raise Unavailable(f"Another process uses the insight index in {self._path}; end that one first.") from exc

    def _sync(self) -> None:
        descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
