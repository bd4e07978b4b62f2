"""Jobs give way."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from train_jobs.priority import NICENESS, give_way


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

    assert seen == [max(NICENESS, before)] * 3
    assert os.nice(0) == before


def run(work: Callable[[], None]) -> None:
    """Run `work` on a thread of its own to its end."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
