"""The key of all HMACs: a setting, or a file in the platform's home."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from sentiment.errors import InvalidSettings
from sentiment.settings import PREFIX, Settings, spelling_of


def secret_of(settings: Settings) -> bytes:
    """Return the key of all HMACs: the setting, or the file `secret` in home, made at first use (mode 0600).

    Raises:
        InvalidSettings: the file cannot be made or read; the message names home.
    """
    if settings.secret is not None:
        return settings.secret.get_secret_value().encode()
    path = settings.home / "secret"
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            _create_once(path, secrets.token_bytes(32))
        return path.read_bytes()
    except OSError as exc:
        raise InvalidSettings(f"{unusable_home(settings.home, exc)}", f"{PREFIX}HOME") from exc


def unusable_home(home: Path, exc: OSError) -> str:
    """Return the message about a home folder that cannot be made or written."""
    return f"{home} cannot be the platform's folder ({exc.strerror}): choose another with {spelling_of('home')}"


def _create_once(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    with contextlib.suppress(FileExistsError):  # another process was first: its secret stands
        os.link(draft, path)
    draft.unlink()
