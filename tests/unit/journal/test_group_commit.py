from __future__ import annotations

import threading
from contextlib import closing

import pytest

from sentiment.errors import Unavailable
from sentiment.journal.group_commit import GroupCommit, Waiting


def test_what_comes_while_a_commit_is_under_way_shares_the_next_one():
    groups: list[list[int]] = []
    busy, go_on = threading.Event(), threading.Event()

    def commit(group: list[Waiting[int, int]]) -> None:
        busy.set()
        go_on.wait(5)
        groups.append([waiting.item for waiting in group])
        for waiting in group:
            waiting.future.set_result(2 * waiting.item)

    with closing(GroupCommit("test", commit)) as worker:
        first = worker.submit(1)
        busy.wait(5)
        others = [worker.submit(number) for number in (2, 3, 4)]
        go_on.set()
        assert [first.result(5), *(future.result(5) for future in others)] == [2, 4, 6, 8]
    assert groups == [[1], [2, 3, 4]]


def test_a_failed_commit_fails_its_own_group_only():
    def commit(group: list[Waiting[int, int]]) -> None:
        for waiting in group:
            waiting.future.set_result(10 // waiting.item)

    with closing(GroupCommit("test", commit)) as worker:
        with pytest.raises(ZeroDivisionError):
            worker.submit(0).result(5)
        assert worker.submit(5).result(5) == 2


def test_a_caller_that_goes_away_cancels_nothing():
    go_on = threading.Event()

    def commit(group: list[Waiting[int, int]]) -> None:
        go_on.wait(5)
        for waiting in group:
            waiting.future.set_result(waiting.item)

    with closing(GroupCommit("test", commit)) as worker:
        future = worker.submit(1)
        assert not future.cancel()
        go_on.set()
        assert future.result(5) == 1


def test_closing_commits_what_is_queued_and_refuses_more():
    seen: list[int] = []

    def commit(group: list[Waiting[int, None]]) -> None:
        seen.extend(waiting.item for waiting in group)
        for waiting in group:
            waiting.future.set_result(None)

    worker = GroupCommit("test", commit)
    for number in range(1000):
        worker.submit(number)
    worker.close()
    worker.close()
    assert seen == list(range(1000))
    assert not worker.alive
    with pytest.raises(Unavailable, match="closing"):
        worker.submit(1)
