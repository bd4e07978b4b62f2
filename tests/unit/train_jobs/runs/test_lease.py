"""A run's lease: a head that lives keeps it, a head that is dead loses it, and of two that want it one gets it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from sentiment.errors import Conflict
from train_jobs.runs.lease import LEASE_S, Holder, Lease, LeaseRecord
from train_jobs.runs.run_store import RunStore

HERE, THERE = Holder("10.0.0.1", "one", 7, 1.0), Holder("10.0.0.2", "other", 7, 1.0)


class Clock:
    """The time of day, which stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(str(tmp_path / "one"))


def test_a_head_that_lives_keeps_the_run_and_is_named(store: RunStore) -> None:
    clock = Clock()
    mine, other = Lease(store, "one", clock, HERE), Lease(store, "one", clock, THERE)
    mine.take()
    for _ in range(10):
        clock.now_s += LEASE_S - 1
        with pytest.raises(Conflict, match=r"'one' \(process 7 on 10\.0\.0\.1, last seen 59 s ago\).*free in 1 s$"):
            other.take()
        mine.beat()


def test_a_dead_head_s_run_is_taken_over_and_it_is_told_when_it_comes_back(store: RunStore) -> None:
    clock = Clock()
    mine, other = Lease(store, "one", clock, HERE), Lease(store, "one", clock, THERE)
    mine.take()
    clock.now_s += LEASE_S
    other.take()
    with pytest.raises(Conflict, match=r"10\.0\.0\.2 has taken over the run 'one'"):
        mine.beat()
    other.beat()


def test_a_run_that_is_given_back_is_free_at_once(store: RunStore) -> None:
    clock = Clock()
    for holder in (HERE, THERE, HERE):
        lease = Lease(store, "one", clock, holder)
        lease.take()
        lease.give_back()


def test_a_process_of_this_machine_that_was_killed_loses_the_run_at_once(store: RunStore) -> None:
    clock = Clock()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        holder = replace(Holder.here(), pid=process.pid, started_s=psutil.Process(process.pid).create_time())
        Lease(store, "one", clock, holder).take()
        with pytest.raises(Conflict, match=f"process {process.pid}"):
            Lease(store, "one", clock).take()
        process.kill()
    Lease(store, "one", clock).take()


def test_a_process_number_that_was_given_anew_is_another_process() -> None:
    here = Holder.here()
    assert here.pid == os.getpid()
    assert not here.is_gone()
    assert replace(here, started_s=here.started_s - 1).is_gone()
    assert not replace(here, machine="elsewhere", pid=2**22 + 1).is_gone(), "nobody here can tell"


def test_of_many_that_want_a_run_one_gets_it(store: RunStore) -> None:
    start, winners = threading.Barrier(8), []

    def want(number: int) -> None:
        lease = Lease(store, "one", Clock(), replace(THERE, pid=number))
        start.wait()
        try:
            lease.take()
        except Conflict:
            return
        winners.append(number)

    threads = [threading.Thread(target=want, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(winners) == 1


def test_a_record_that_was_cut_off_keeps_nobody_out(tmp_path: Path, store: RunStore) -> None:
    (tmp_path / "one" / "lease").mkdir(parents=True)
    (tmp_path / "one" / "lease" / "00000004.json").write_text(LeaseRecord(THERE, 1e12).text()[:30])
    Lease(store, "one", Clock(), HERE).take()
    assert store.names("lease") == ["00000004.json", "00000005.json"]
