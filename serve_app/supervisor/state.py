"""Where a local platform keeps its files, and what its supervisor tells the others through `platform.json`."""

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

# Unix sockets' paths end at 107 bytes, and Ray and HAProxy add up to 83 of their own: home may be too deep for them.
_SHORT: Final = Path("/tmp")  # noqa: S108 - the folder made in it is private, see `_make_private`

Phase = Literal["starting", "running", "stopping", "failed"]
PartPhase = Literal["waiting", "starting", "ready", "done", "failing", "ended"]


@dataclass(frozen=True)
class PlatformPaths:
    """The files and folders of the platform in `home`."""

    home: Path

    @property
    def state(self) -> Path:
        """What the supervisor last said of itself."""
        return self.home / "platform.json"

    @property
    def lock(self) -> Path:
        """Held by the supervisor as long as it lives."""
        return self.home / "platform.lock"

    @property
    def cluster(self) -> Path:
        """What it has deployed to a cluster; there until that is gone."""
        return self.home / "cluster.json"

    @property
    def logs(self) -> Path:
        """One log a part, and Serve's own."""
        return self.home / "logs"

    @property
    def mlflow(self) -> Path:
        """The local MLflow server's database and artifacts."""
        return self.home / "mlflow"

    @property
    def ray_token(self) -> Path:
        """What Ray's own ports and its dashboard ask for."""
        return self.home / "ray_token"

    @property
    def run(self) -> Path:
        """Sockets and Ray's sessions; gone when the platform is down."""
        return _SHORT / f"undertone-{hashlib.sha256(os.fsencode(self.home)).hexdigest()[:8]}"

    def make(self) -> None:
        """Make the folders, readable by this user only.

        Raises:
            PlatformError: home cannot be made or written, or a folder is another user's.
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
        """Remove the sockets and sessions of a run that is over."""
        shutil.rmtree(self.run, ignore_errors=True)

    def forget(self) -> None:
        """Remove what only a running platform needs."""
        self.forget_run()
        for path in (self.state, self.lock):
            path.unlink(missing_ok=True)


class ProcessState(BaseModel):
    """How one part is."""

    model_config = ConfigDict(frozen=True)

    phase: PartPhase
    pid: int | None = None
    restarts: int = 0


class PlatformState(BaseModel):
    """What the supervisor says of the platform.

    `found` is what it met and mended at its start, `settings` what it runs with (`public_values`), `registry_login`
    whether the MLflow server wants a login, which the address here lacks. `instance` is what its API, and no other's,
    says of itself; on a cluster `addresses` lack it until Serve says where it listens.
    """

    model_config = ConfigDict(frozen=True)

    pid: int
    created: float
    phase: Phase = "starting"
    started_at_s: float
    instance: str = ""
    ready_s: float | None = None
    addresses: dict[str, str] = Field(default_factory=dict)
    settings: dict[str, str] = Field(default_factory=dict)
    registry_login: bool = False
    parts: dict[str, ProcessState] = Field(default_factory=dict)
    found: list[str] = Field(default_factory=list)
    error: str | None = None
    example: dict[str, Any] | None = None

    def write(self, path: Path) -> None:
        """Replace the file at one stroke."""
        draft = path.with_suffix(f".{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(self.model_dump_json(indent=1))
        draft.replace(path)


def read_state(places: PlatformPaths) -> PlatformState | None:
    """Return what the supervisor last said; None if it said nothing, or nothing that this code understands."""
    try:
        return PlatformState.model_validate_json(places.state.read_bytes())
    except (OSError, ValidationError):
        return None


@contextmanager
def sole_supervisor(places: PlatformPaths) -> Iterator[None]:
    """Hold the platform's lock, which the operating system frees when this process ends, however it ends.

    Raises:
        PlatformError: another supervisor holds it.
    """
    with places.lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise PlatformError(
                f"the platform in {places.home} has a supervisor already; see `undertone status`"
            ) from exc
        yield


def _make_private(folder: Path) -> None:
    folder.mkdir(exist_ok=True, mode=0o700)
    facts = folder.lstat()
    if folder.is_symlink() or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
        raise PlatformError(f"{folder} is not this user's alone; remove it, or choose another home with --home")
