"""The checkpoints of a training in its trial's own process, in a folder or on S3; a list names the complete ones."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from sentiment.errors import Unavailable
from train_jobs.runtime.drafts import draft_of
from train_jobs.runtime.locations import Location, draft_folder

_LIST: Final = "checkpoints.json"
_SCORE: Final = "score"


@dataclass(frozen=True)
class TrialCheckpoint:
    """A checkpoint of a trial."""

    name: str
    """Its folder."""
    files: Sequence[str]
    figures: Mapping[str, float]
    validations: int
    """Validations of the trial so far."""


class TrialCheckpoints:
    """Keeps the `most` best checkpoints of a training, and the latest, in `place`.

    A list names the complete ones. It is written after all files of a new checkpoint and before any old one is deleted:
    a killed training always finds a complete one. All methods raise Unavailable if the place cannot be read or written.
    """

    def __init__(self, place: Location, most: int) -> None:
        self._place, self._most = place, most
        self._listed = self._read()
        if not place.is_remote:
            for draft in Path(place.uri).glob(".checkpoint_*.draft"):  # of a process that was killed
                shutil.rmtree(draft, ignore_errors=True)

    @property
    def latest(self) -> TrialCheckpoint | None:
        """The last checkpoint, None if there is none."""
        return self._listed[-1] if self._listed else None

    @property
    def best(self) -> TrialCheckpoint | None:
        """The checkpoint with the best score, None if none has a score."""
        return next(iter(_by_score(self._listed)), None)

    def keep(self, figures: Mapping[str, float], validations: int, write: Callable[[Path], None]) -> None:
        """Store what `write` puts into a folder; delete checkpoints that are neither the latest nor among the best."""
        name = f"checkpoint_{int(figures['step']):08d}"
        files = self._stored(name, write)
        listed = [
            *(each for each in self._listed if each.name != name),
            TrialCheckpoint(name, files, dict(figures), validations),
        ]
        best = _by_score(listed)[: self._most]
        remaining = [each for each in listed if each in best or each is listed[-1]]
        self._place.write(_LIST, json.dumps([asdict(each) for each in remaining], indent=2).encode())
        self._listed = remaining
        for each in listed:
            if each not in remaining:
                self._place.remove(each.name)

    @contextmanager
    def folder_of(self, checkpoint: TrialCheckpoint) -> Iterator[Path]:
        """Yield a checkpoint's folder on this machine: the folder itself, or a temporary copy of a remote one."""
        if not self._place.is_remote:
            yield Path(self._place.uri) / checkpoint.name
            return
        with draft_folder() as folder:
            for file in checkpoint.files:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).write_bytes(self._content(f"{checkpoint.name}/{file}"))
            yield folder

    def _stored(self, name: str, write: Callable[[Path], None]) -> list[str]:
        """Store what `write` puts into a folder under `name` and return the files; local folders are not copied."""
        if not self._place.is_remote:
            with draft_of(Path(self._place.uri) / name) as folder:
                write(folder)
                return _files(folder)
        with draft_folder() as folder:
            write(folder)
            files = _files(folder)
            for file in files:
                self._place.put(f"{name}/{file}", folder / file)
            return files

    def _content(self, name: str) -> bytes:
        content = self._place.read(name)
        if content is None:
            raise Unavailable(
                f"{self._place.uri}/{name} of a checkpoint is missing: restore it, or start a search of another --name"
            )
        return content

    def _read(self) -> list[TrialCheckpoint]:
        content = self._place.read(_LIST)
        try:
            return [TrialCheckpoint(**each) for each in json.loads(content)] if content else []
        except (ValueError, TypeError) as exc:
            raise Unavailable(
                f"{self._place.uri}/{_LIST} is damaged ({exc}): restore it, or delete that folder to train again"
            ) from exc


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _by_score(listed: Sequence[TrialCheckpoint]) -> list[TrialCheckpoint]:
    """Return the checkpoints with a score, the best first; among equal ones the earlier first."""
    return sorted((each for each in listed if _SCORE in each.figures), key=lambda each: -each.figures[_SCORE])
