"""Whether an MLflow server is home's own: only that one hands out the file that home keeps among its artifacts.

A server that merely answers at the usual port is somebody else's, until it is named (`UNDERTONE_TRACKING_URI`).
"""

from __future__ import annotations

import os
import secrets
from enum import StrEnum
from pathlib import Path
from typing import Final

_MARK: Final = "undertone-home"
_ROUTE: Final = "api/2.0/mlflow-artifacts/artifacts"
_PROBE_S: Final = 3.0


class Server(StrEnum):
    """What is at an address."""

    OWN = "own"
    ANOTHERS = "another's"
    SILENT = "silent"


def server_at(uri: str, folder: Path) -> Server:
    """Say what is at `uri`, by what home's MLflow `folder` holds; SILENT answers nothing, or not within 3 s.

    Raises:
        OSError: home's folder cannot be written.
    """
    import httpx

    mark = _mark(folder)
    try:
        answer = httpx.get(f"{uri.rstrip('/')}/{_ROUTE}/{_MARK}", timeout=_PROBE_S, trust_env=False)
    except (httpx.ConnectError, httpx.TimeoutException, httpx.UnsupportedProtocol, httpx.InvalidURL):
        return Server.SILENT
    except httpx.HTTPError:  # it speaks, but no HTTP
        return Server.ANOTHERS
    return Server.OWN if answer.is_success and answer.text == mark else Server.ANOTHERS


def not_own(uri: str) -> str:
    """Return what to say of a server that is another's, and of which nobody said that it is to be used."""
    return (
        f"The MLflow server at {uri} is not this home's. To use it even so, name it: UNDERTONE_TRACKING_URI={uri}. "
        "Else choose another port for home's own: --mlflow-port or UNDERTONE_MLFLOW_PORT."
    )


def _mark(folder: Path) -> str:
    """Return what only home and its own server know, which is made at first use."""
    path = folder / "artifacts" / _MARK
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f".{_MARK}.{os.getpid()}.{secrets.token_hex(4)}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_hex(32), encoding="utf-8")
        try:
            os.link(draft, path)
        except FileExistsError:  # another process was first
            pass
        finally:
            draft.unlink()
    return path.read_text(encoding="utf-8")
