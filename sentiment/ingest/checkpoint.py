"""What an ingest remembers, in a folder of its own under home: options, position, counts, and the records set aside.

ingests/NAME/state.json        replaced after each answer of the platform; the other files are cut to its figures
ingests/NAME/rejected.jsonl    records that were not kept: row, reason, values
ingests/NAME/recent-N.bin      keys of the last texts
ingests/NAME/lock              held while the ingest runs
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Final, Self

from sentiment.errors import Conflict, InvalidInput
from sentiment.ingest.totals import IngestTotals
from sentiment.ingest.window import RecentTexts
from sentiment.settings import Settings
from sentiment.sources import Position
from sentiment.tables import json_line

#: Held by the one process that carries out a platform's ingests; in the folder of all of them.
WORKER_LOCK: Final = "worker.lock"
#: Rejected records of a live source never end: no more bytes of them are kept.
MOST_REJECTED_BYTES: Final = 64 * 2**20
_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,39}", re.ASCII)


@dataclass(frozen=True)
class IngestState:
    """How far an ingest has come."""

    #: The options that say what is read and how: another ingest has others.
    options: Mapping[str, Any] = field(default_factory=dict)
    position: Position | None = None
    totals: IngestTotals = field(default_factory=IngestTotals)
    rejected_bytes: int = 0
    recent_texts: int = 0
    is_finished: bool = False

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Self:
        """Return the state that `plain` made JSON of."""
        return cls(**{**plain, "totals": IngestTotals.of(plain["totals"])})

    def plain(self) -> dict[str, Any]:
        """Return the state as JSON has it."""
        return asdict(self) | {"options": dict(self.options), "totals": self.totals.plain()}


@dataclass(eq=False)
class IngestCheckpoint:
    """The folder of one ingest, whose lock this process holds. Close it, or use it as a context manager."""

    folder: Path
    state: IngestState
    recent: RecentTexts
    _lock: IO[bytes]
    _rejected: IO[bytes]

    @property
    def rejected(self) -> Path:
        """Records that were not kept, each with its row and the reason."""
        return self.folder / "rejected.jsonl"

    def set_aside(self, place: int, reason: str, values: Mapping[str, Any]) -> None:
        """Keep a record that has no text or was refused; beyond MOST_REJECTED_BYTES it is only counted."""
        if self._rejected.tell() < MOST_REJECTED_BYTES:
            self._rejected.write(json_line({"row": place, "reason": reason, "values": dict(values)}))

    def save(self, position: Position | None, totals: IngestTotals, *, is_finished: bool = False) -> None:
        """Move the position: all records before it have been answered, and `totals` counts them."""
        self._rejected.flush()
        self.recent.save()
        self.state = replace(
            self.state,
            position=position,
            totals=replace(totals),
            rejected_bytes=self._rejected.tell(),
            recent_texts=self.recent.count,
            is_finished=is_finished,
        )
        write_state(self.folder, self.state)

    def close(self) -> None:
        """Release the lock, so that another process may run the ingest."""
        self._rejected.close()
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def ingests_folder(settings: Settings) -> Path:
    """Return where the folders of ingests are."""
    return settings.home / "ingests"


def open_checkpoint(root: Path, name: str, options: Mapping[str, Any], *, restart: bool = False) -> IngestCheckpoint:
    """Open the folder of the ingest `name` below `root`, as the run before left it; `restart` forgets that.

    Raises:
        InvalidInput: `name` cannot name an ingest; or the ingest of this name had other options.
        Conflict: it is running.
    """
    folder = root / require_name(name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = _locked(folder, name)
    try:
        state = IngestState(options=options) if restart else read_state(folder) or IngestState(options=options)
        _require_same(name, state.options, options)
        return IngestCheckpoint(folder, state, RecentTexts(folder, state.recent_texts), lock, _rejected(folder, state))
    except BaseException:
        lock.close()
        raise


def require_name(name: str) -> str:
    """Return the name of an ingest, which is a folder's and a source's. Raises InvalidInput."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"--name {name!r} cannot name an ingest: give 1 to 40 letters, digits or . _ -, the first not a dot.",
            "name",
        )
    return name


def read_state(folder: Path) -> IngestState | None:
    """Return how far the ingest of a folder has come; None before its first batch was answered."""
    try:
        return IngestState.of(json.loads((folder / "state.json").read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as exc:
        raise InvalidInput(
            f"{folder / 'state.json'} cannot be read ({exc}): start from the beginning with --restart, or give another "
            "--name.",
            "name",
        ) from exc


def write_state(folder: Path, state: IngestState) -> None:
    """Replace the state of a folder at once."""
    draft = folder / ".state.json.draft"
    with draft.open("wb") as file:
        file.write(json.dumps(state.plain(), indent=2).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / "state.json")


def is_running(folder: Path) -> bool:
    """Return whether some process runs the ingest of a folder."""
    return is_locked(folder / "lock")


def is_locked(path: Path) -> bool:
    """Return whether a process holds the lock of a file."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _locked(folder: Path, name: str) -> IO[bytes]:
    file = (folder / "lock").open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        file.close()
        raise Conflict(
            f"The ingest {name!r} is already running: wait for its end, or give another --name.", "name"
        ) from exc
    return file


def _rejected(folder: Path, state: IngestState) -> IO[bytes]:
    file = (folder / "rejected.jsonl").open("ab")
    file.truncate(min(state.rejected_bytes, file.tell()))
    file.seek(0, os.SEEK_END)
    return file


def _require_same(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    others = [option for option in _names(before, now) if before.get(option) != now.get(option)]
    if others:
        option = others[0]
        raise InvalidInput(
            f"The ingest {name!r} was started {_choice(option, before)}, now it is asked for {_choice(option, now)}: "
            "give another --name, or start from the beginning with --restart.",
            option.strip("-").replace("-", "_"),
        )


def _choice(option: str, options: Mapping[str, Any]) -> str:
    return f"with {option} {options[option]!r}" if option in options else f"without {option}"


def _names(*options: Mapping[str, Any]) -> Iterable[str]:
    return dict.fromkeys(name for each in options for name in each)
