from __future__ import annotations

import threading
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from sentiment.errors import PlatformError
from sentiment.settings import Settings
from serve_app.supervisor.managed_process import ManagedProcess
from serve_app.supervisor.process_specs import ProcessSpec
from serve_app.supervisor.restart_policy import RestartPolicy
from serve_app.supervisor.state import PlatformPaths, read_state
from serve_app.supervisor.supervisor import StateReport, Supervisor


@dataclass
class FakeChild:
    pid: int
    status: int | None = None

    def poll(self) -> int | None:
        return self.status


@dataclass
class Machine:
    """A clock, a process table and one part's health, all set by the test."""

    now_s: float = 0.0
    healthy: bool = False
    started: list[FakeChild] = field(default_factory=list)
    ended: int = 0
    pids: count[int] = field(default_factory=lambda: count(100))

    def start(self, part: ProcessSpec) -> FakeChild:
        self.started.append(FakeChild(next(self.pids)))
        return self.started[-1]

    def end(self, part: ProcessSpec, grace_s: float) -> None:
        self.ended += 1

    def part(self, log: Path = Path("nowhere.log"), once: bool = False, name: str = "part") -> ManagedProcess:
        part = ProcessSpec(name, ("true",), {}, log, lambda: self.healthy, once=once)
        patience = RestartPolicy(start_s=100, unready_s=20, start_attempts=2, longest_pause_s=8)
        return ManagedProcess(part, self, patience, clock=lambda: self.now_s)

    def tick(self, part: ManagedProcess, seconds: float = 1.0, times: int = 1) -> None:
        for _ in range(times):
            self.now_s += seconds
            part.step()


def test_a_part_is_started_and_is_ready_once_it_answers() -> None:
    machine = Machine()
    part = machine.part()
    assert part.state.phase == "waiting"
    machine.tick(part)
    assert (part.state.phase, part.state.pid) == ("starting", 100)
    machine.healthy = True
    machine.tick(part)
    assert part.is_ready
    assert len(machine.started) == 1


def test_a_part_whose_process_dies_is_started_anew_and_what_it_left_is_ended() -> None:
    machine = Machine(healthy=True)
    part = machine.part()
    machine.tick(part, times=2)
    machine.started[-1].status = -9
    machine.tick(part)
    assert part.state.phase == "failing"
    assert not part.is_ready
    machine.tick(part, times=2)
    assert [child.pid for child in machine.started] == [100, 101]
    assert machine.ended == 1
    assert part.is_ready
    assert part.state.restarts == 1


def test_a_part_that_hangs_is_ended_and_started_anew() -> None:
    machine = Machine(healthy=True)
    part = machine.part()
    machine.tick(part, times=2)
    machine.healthy = False
    machine.tick(part, seconds=6, times=5)
    assert machine.ended >= 1
    assert len(machine.started) == 2


def test_a_part_that_has_not_answered_since_its_start_has_the_time_of_a_start() -> None:
    machine = Machine()
    part = machine.part()
    machine.tick(part, seconds=30, times=4)  # longer than one that has answered may be silent
    assert (len(machine.started), machine.ended) == (1, 0)
    machine.tick(part, seconds=30)
    assert machine.ended == 1


def test_a_part_that_does_not_come_up_is_reported_with_its_last_words(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    log.write_text("Traceback …\nModuleNotFoundError: No module named 'ray'\n")
    machine = Machine()
    part = machine.part(log)
    for attempt in (1, 2):
        machine.tick(part, seconds=5, times=attempt)
        machine.started[-1].status = 1
    assert len(machine.started) == 2
    with pytest.raises(PlatformError, match="No module named 'ray'"):
        machine.tick(part, seconds=5, times=2)


def test_a_part_that_runs_once_is_done_when_it_ends_well_and_tried_again_when_not() -> None:
    machine = Machine()
    part = machine.part(once=True)
    machine.tick(part)
    machine.started[-1].status = 1
    machine.tick(part, times=3)
    assert len(machine.started) == 2
    machine.started[-1].status = 0
    machine.tick(part, times=30)
    assert part.state.phase == "done"
    assert part.is_ready
    assert len(machine.started) == 2


def test_failures_long_past_no_longer_delay_a_restart() -> None:
    machine = Machine(healthy=True)
    part = machine.part()
    machine.tick(part, times=2)
    for _ in range(4):
        machine.started[-1].status = 1
        machine.tick(part, seconds=10, times=3)
    machine.tick(part, seconds=10, times=10)
    known = len(machine.started)
    machine.started[-1].status = 1
    machine.tick(part, seconds=1, times=2)
    assert len(machine.started) == known + 1


def test_an_ended_part_keeps_no_process() -> None:
    machine = Machine(healthy=True)
    part = machine.part()
    machine.tick(part, times=2)
    part.end()
    assert machine.ended == 1
    assert part.state.pid is None


def test_an_ended_part_is_not_said_to_be_ready() -> None:
    machine = Machine(healthy=True)
    part = machine.part()
    machine.tick(part, times=2)
    part.end()
    assert part.state.phase == "ended"
    assert not part.is_ready


def test_after_a_failed_start_no_part_is_said_to_be_ready(tmp_path: Path) -> None:
    well, ill = Machine(healthy=True), Machine()
    parts = [well.part(name="well"), ill.part(name="ill")]
    well.tick(parts[0], times=2)
    for ticks in (1, 2):
        ill.tick(parts[1], seconds=9, times=ticks)
        ill.started[-1].status = 1
    assert parts[0].is_ready
    settings, places = Settings(home=tmp_path), PlatformPaths(tmp_path)
    supervisor = Supervisor(settings, places, parts, StateReport(places, settings), api_key=None)
    with pytest.raises(PlatformError, match="ill does not start"):
        supervisor.run(threading.Event())
    state = read_state(places)
    assert state
    assert {name: part.phase for name, part in state.parts.items()} == {"well": "ended", "ill": "ended"}
