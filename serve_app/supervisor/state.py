"""The files of a local platform, and the state that its supervisor writes to `platform.json`."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sentiment.access.secret import unusable_home
from sentiment.errors import PlatformError

# A Unix socket's path has at most 107 bytes, and Ray and HAProxy need up to 83 of them: home may be too deep.
_SHORT: Final = Path("/tmp")  # noqa: S108 - the folder made in it is private, see `_make_private`

Phase = Literal["starting", "running", "stopping", "failed"]
PartPhase = Literal["waiting", "starting", "ready", "done", "failing", "ended"]


@dataclass(frozen=True)
class PlatformPaths:
    """The files and folders of the platform in `home`."""

    home: Path

    @property
    def state(self) -> Path:
        """The supervisor's last state (`PlatformState`)."""
        return self.home / "platform.json"

    @property
    def lock(self) -> Path:
        """Held by the supervisor as long as it lives."""
        return self.home / "platform.lock"

    @property
    def cluster(self) -> Path:
        """The record of what it has deployed to a cluster; it exists until that is removed."""
        return self.home / "cluster.json"

    @property
    def logs(self) -> Path:
        """The logs: one of each part, and Serve's."""
        return self.home / "logs"

    @property
    def mlflow(self) -> Path:
        """The local MLflow server's database and artifacts."""
        return self.home / "mlflow"

    @property
    def ray_token(self) -> Path:
        """The token that Ray's ports and its dashboard ask for."""
        return self.home / "ray_token"

    @property
    def run(self) -> Path:
        """Sockets and Ray's sessions; removed when the platform has ended."""
        return _SHORT / f"undertone-{hashlib.sha256(os.fsencode(self.home)).hexdigest()[:8]}"

    def make(self) -> None:
        """Make the folders, readable by this user only.

        Raises:
            PlatformError: home cannot be created or written, or a folder belongs to another user.
        """
        try:
            self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
            for folder in (self.logs, self.mlflow):
                folder.mkdir(exist_ok=True, mode=0o700)
            if not self.ray_token.exists():
                self.ray_token.touch(mode=0o600)
                self.ray_token.write_text(secrets.token_hex(32))
        except OSError as exc:
            raise PlatformError(unusable_home(self.home, exc)) from exc
        _make_private(self.run)

    def forget_run(self) -> None:
        """Remove the sockets and sessions of a run that has ended."""
        shutil.rmtree(self.run, ignore_errors=True)

    def forget(self) -> None:
        """Remove the files that only a running platform needs."""
        self.forget_run()
        for path in (self.state, self.lock):
            path.unlink(missing_ok=True)


class ProcessState(BaseModel):
    """State of one part."""

    model_config = ConfigDict(frozen=True)

    phase: PartPhase
    pid: int | None = None
    restarts: int = 0


class PlatformState(BaseModel):
    """State of the platform, as its supervisor writes it."""

    model_config = ConfigDict(frozen=True)

    pid: int
    created: float
    """When the supervisor's process was created (s since 1970); with `pid` it identifies the process."""
    phase: Phase = "starting"
    started_at_s: float
    instance: str = ""
    """Id of this start, which the API reports."""
    ready_s: float | None = None
    """Seconds from the start until the first answer."""
    addresses: dict[str, str] = Field(default_factory=dict)
    """Addresses that a user opens, by name; on a cluster the API's are added once Serve runs there."""
    settings: dict[str, str] = Field(default_factory=dict)
    """Settings that it runs with (`public_values`)."""
    registry_login: bool = False
    """Whether the MLflow server asks for a login, which the address here leaves out."""
    parts: dict[str, ProcessState] = Field(default_factory=dict)
    found: list[str] = Field(default_factory=list)
    """What an earlier run had left and this one cleaned up, as sentences."""
    error: str | None = None
    example: dict[str, Any] | None = None
    """The answer to the first text."""

    def write(self, path: Path) -> None:
        """Replace the file atomically."""
        draft = path.with_suffix(f".{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(self.model_dump_json(indent=1))
        draft.replace(path)


def read_state(places: PlatformPaths) -> PlatformState | None:
    """Return the supervisor's last state; None if there is none, or none that this code can read."""
    try:
        return PlatformState.model_validate_json(places.state.read_bytes())
    except (OSError, ValidationError):
        return None


@contextmanager
def sole_supervisor(places: PlatformPaths) -> Iterator[None]:
    """Hold the platform's lock. The operating system frees it whenever this process ends.

    Raises:
        PlatformError: another supervisor holds it.
    """
    with places.lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise PlatformError(
                f"the platform in {places.home} already has a supervisor; see `undertone status`"
            ) from exc
        yield


def _make_private(folder: Path) -> None:
    folder.mkdir(exist_ok=True, mode=0o700)
    status = folder.lstat()
    if folder.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise PlatformError(f"{folder} is not private to this user; remove it, or choose another home with --home")
