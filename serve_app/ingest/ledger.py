"""What is wanted of each ingest, written by gateways, and how it goes, written by the worker: a folder each.

ingests/worker.lock              held by the one process that runs the ingests
ingests/NAME/request.json        what is wanted; each command is a new revision
ingests/NAME/report.json         what the worker says of a revision
ingests/NAME/state.json …        how far it has come (`sentiment.ingest.checkpoint`)
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from sentiment.errors import Conflict, InvalidInput, NotFound
from sentiment.ingest import IngestRequest, IngestState, IngestTotals, require_name
from sentiment.ingest.checkpoint import WORKER_LOCK, is_locked, is_running, open_checkpoint, read_state
from sentiment.sources.gdelt.quarters import gaps_of

logger = logging.getLogger(__name__)

_REQUEST, _REPORT = "request.json", "report.json"
_AWAY: Final = "the process that runs the ingests is down; the platform restarts it"


class DesiredState(StrEnum):
    """What somebody wants of an ingest."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


class IngestPhase(StrEnum):
    """How an ingest is."""

    STARTING = "starting"
    RUNNING = "running"
    #: The platform or the source is away; it is tried again.
    WAITING = "waiting"
    PAUSED = "paused"
    STOPPED = "stopped"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True)
class IngestOrder:
    """The state that somebody wants of an ingest; `revision` counts the commands."""

    request: IngestRequest
    desired: DesiredState = DesiredState.RUNNING
    revision: int = 1


@dataclass(frozen=True)
class IngestReport:
    """How a revision goes. `expected` is how many records there are, None where nobody knows."""

    revision: int
    phase: IngestPhase
    problem: str | None = None
    expected: int | None = None


@dataclass(frozen=True)
class IngestLedger:
    """The folders below `root`. Safe for several processes."""

    root: Path

    def start(self, request: IngestRequest, *, restart: bool = False) -> bool:
        """Want an ingest to run; return whether it is new. One that is there already goes on.

        Raises:
            Conflict: it has other options, or is to restart while it runs.
            InvalidInput: `name` cannot name an ingest.
        """
        folder = self.root / require_name(request.name)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._writing(folder):
            order = self._order(folder)
            if restart:
                self._forget(folder, request)
            elif order is not None and order.request.options != request.options:
                raise Conflict(_other_options(request, order.request), "name")
            self._write(folder, IngestOrder(request, DesiredState.RUNNING, order.revision + 1 if order else 1))
        return order is None

    def command(self, name: str, desired: DesiredState) -> None:
        """Want an ingest to run, to pause or to stop. Raises NotFound, also for one that a command line runs."""
        folder = self.root / require_name(name)
        if not (folder / _REQUEST).exists():
            cause = (
                f"the ingest {name!r} runs on a command line: stop it there with Ctrl+C"
                if (folder / "state.json").exists()
                else f"there is no ingest {name!r}"
            )
            raise NotFound(f"{cause}; GET /v1/ingests lists those of the platform", "name")
        with self._writing(folder):
            order = self._order(folder)
            if order is not None:
                self._write(folder, replace(order, desired=desired, revision=order.revision + 1))

    def orders(self) -> dict[str, IngestOrder]:
        """Return what is desired, by name."""
        orders = {path.parent.name: self._order(path.parent) for path in sorted(self.root.glob(f"*/{_REQUEST}"))}
        return {name: order for name, order in orders.items() if order is not None}

    def report(self, name: str, report: IngestReport) -> None:
        """Say how an ingest goes."""
        _replace(self.root / name / _REPORT, asdict(report))

    def reported(self, name: str) -> IngestReport | None:
        """Return the last report, None if there is none."""
        plain = _load(self.root / name / _REPORT)
        return IngestReport(**{**plain, "phase": IngestPhase(plain["phase"])}) if plain else None

    def views(self) -> list[dict[str, Any]]:
        """Return all ingests as the API shows them, those of command lines included, by name."""
        folders = sorted(path.parent for path in self.root.glob("*/lock")) if self.root.exists() else []
        names = {self.root / name for name in self.orders()}
        return [self.view(folder.name) for folder in sorted({*folders, *names})]

    def view(self, name: str) -> dict[str, Any]:
        """Return one ingest as the API shows it. Raises NotFound."""
        folder = self.root / require_name(name)
        order, state = self._order(folder), self._state(folder)
        if order is None and state is None and not is_running(folder):
            raise NotFound(f"there is no ingest {name!r}", "name")
        totals = state.totals if state else IngestTotals()
        counts = {"name": name, **totals.plain(), "gaps": gaps_of(state.position) if state else {}}
        if order is None:
            phase = IngestPhase.RUNNING if is_running(folder) else IngestPhase.STOPPED
            is_done = state is not None and state.is_finished and phase is IngestPhase.STOPPED
            kind = str(state.options.get("--kind", "")) if state else ""
            return {**counts, "kind": kind, "by": "command", "state": IngestPhase.FINISHED if is_done else phase}
        report = self.reported(name)
        phase, problem = self._phase(order, report)
        options = {"kind": order.request.kind, "speed": order.request.speed, "limit": order.request.limit}
        expected = report.expected if report else None
        return {**counts, **options, "by": "platform", "state": phase, "problem": problem, "expected": expected}

    def _state(self, folder: Path) -> IngestState | None:
        """Return how far an ingest has come; None also for a file that cannot be read, which its run reports."""
        try:
            return read_state(folder)
        except InvalidInput:
            return None

    def is_attended(self) -> bool:
        """Return whether a process runs the ingests."""
        return is_locked(self.root / WORKER_LOCK)

    @contextmanager
    def attended(self) -> Iterator[None]:
        """Hold the lock of the one process that runs the ingests. Raises Conflict where another holds it."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.root / WORKER_LOCK).open("wb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                raise Conflict(f"another process already runs the ingests in {self.root}: end it first") from exc
            yield

    def _phase(self, order: IngestOrder, report: IngestReport | None) -> tuple[IngestPhase, str | None]:
        if order.desired is not DesiredState.RUNNING:
            return IngestPhase(order.desired.value), None
        if report is None or report.revision != order.revision:
            phase, problem = IngestPhase.STARTING, None
        else:
            phase, problem = report.phase, report.problem
        is_over = phase in (IngestPhase.FINISHED, IngestPhase.FAILED)
        return (phase, problem) if is_over or self.is_attended() else (IngestPhase.WAITING, _AWAY)

    def _forget(self, folder: Path, request: IngestRequest) -> None:
        """Let an ingest start from the beginning. Raises Conflict while it runs."""
        with open_checkpoint(self.root, request.name, request.options, restart=True):
            (folder / "state.json").unlink(missing_ok=True)

    @contextmanager
    def _writing(self, folder: Path) -> Iterator[None]:
        """Let one process at a time change what is wanted."""
        with (folder / "request.lock").open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _order(self, folder: Path) -> IngestOrder | None:
        try:
            plain = _load(folder / _REQUEST)
            if not plain:
                return None
            return IngestOrder(IngestRequest.of(plain["request"]), DesiredState(plain["desired"]), plain["revision"])
        except (KeyError, TypeError, ValueError, InvalidInput) as exc:
            logger.warning("%s cannot be read (%r): start the ingest again", folder / _REQUEST, exc)
            return None

    def _write(self, folder: Path, order: IngestOrder) -> None:
        _replace(folder / _REQUEST, {**asdict(order), "request": order.request.plain()})


def _other_options(request: IngestRequest, former: IngestRequest) -> str:
    pairs = {**former.options, **request.options}
    option = next(name for name in pairs if former.options.get(name) != request.options.get(name))
    return (
        f"the ingest {request.name!r} was started with another {option}: give another --name, or start from the "
        "beginning with --restart"
    )


def _load(path: Path) -> dict[str, Any]:
    try:
        plain = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as exc:
        where = f"{path.parent.name}/{path.name} in the folder of ingests"  # the API's users are told no folder
        raise InvalidInput(f"{where} is damaged ({exc}): remove it and start the ingest again", "name") from exc
    return plain if isinstance(plain, dict) else {}


def _replace(path: Path, plain: Mapping[str, Any]) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    draft.write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")
    draft.replace(path)
