"""Jobs give way, and so do parts that start, until they serve."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Final

import pytest

from sentiment.priority import JOB_NICENESS, give_way, may_rise, rise, start_niceness


def test_a_thread_gives_way_once_with_all_that_it_starts() -> None:
    seen: list[int] = []

    def note() -> None:
        seen.append(os.nice(0))

    def work() -> None:  # niceness is a thread's own on Linux: the tests' thread keeps its
        for _ in range(2):
            give_way()
            note()
        run(note)

    before = os.nice(0)
    run(work)

    assert seen == [max(JOB_NICENESS, before)] * 3
    assert os.nice(0) == before


_LOW: Final = """
import os, threading
from sentiment.priority import rise

ended = threading.Event()
threads = [threading.Thread(target=ended.wait) for _ in range(3)]
for thread in threads:
    thread.start()
before = os.nice(0)
rise()
print(before, *(os.getpriority(os.PRIO_PROCESS, thread.native_id) for thread in [threading.main_thread(), *threads]))
ended.set()
"""


@pytest.mark.skipif(not may_rise(), reason="nobody may take back the niceness that was given away here")
def test_all_threads_of_a_process_rise_to_the_niceness_of_its_parent() -> None:
    own = os.nice(0)
    assert niceness_told_by(["nice", "-n", "3", sys.executable, "-c", _LOW]) == [min(own + 3, 19)] + [own] * 4


def test_one_that_may_not_rise_stays_where_it_is_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def refuse(_: int, thread: int, __: int) -> None:
        tried.append(thread)
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refuse)
    monkeypatch.setattr(os, "getpriority", lambda _, process: 0 if process == os.getppid() else 10)

    rise()

    assert len(tried) == 1
    assert not may_rise()


def test_a_parent_that_is_gone_keeps_nobody_from_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getppid", lambda: 2**22 + 1)
    rise()


@pytest.mark.parametrize(
    ("own", "permitted", "expected"), [(0, True, 10), (5, True, 10), (15, True, 4), (19, True, 0), (0, False, 0)]
)
def test_what_starts_gives_way_only_where_it_may_rise_again(
    monkeypatch: pytest.MonkeyPatch, own: int, permitted: bool, expected: int
) -> None:
    monkeypatch.setattr("sentiment.priority.may_rise", lambda: permitted)
    monkeypatch.setattr(os, "nice", lambda _: own)
    assert start_niceness() == expected


def test_whether_it_may_rise_is_found_out_without_a_trace() -> None:
    before = os.nice(0)
    may_rise()
    assert os.nice(0) == before


def niceness_told_by(line: list[str]) -> list[int]:
    """Run a program and return the numbers that it prints."""
    return [int(word) for word in subprocess.check_output(line, text=True).split()]


def run(work: Callable[[], None]) -> None:
    """Run `work` on a thread of its own to its end."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
