from __future__ import annotations

import logging
import threading

import pytest

from sentiment.errors import StoreUnavailable
from sentiment.writes.periodic import Periodic


@pytest.mark.parametrize(
    ("error", "level"), [(StoreUnavailable("away"), logging.INFO), (RuntimeError("a bug"), logging.ERROR)]
)
def test_a_failure_is_logged_and_the_next_call_still_comes(
    error: Exception, level: int, caplog: pytest.LogCaptureFixture
):
    calls: list[int] = []
    twice = threading.Event()

    def action() -> None:
        calls.append(1)
        if len(calls) > 1:
            twice.set()
        raise error

    with caplog.at_level(logging.INFO):
        periodic = Periodic("test", 0.01, action)
        assert twice.wait(5)
        periodic.close()
    assert {record.levelno for record in caplog.records} == {level}


def test_nothing_is_done_after_the_end():
    calls: list[int] = []
    periodic = Periodic("test", 0.001, lambda: calls.append(1))
    periodic.close()
    done = len(calls)
    threading.Event().wait(0.05)
    assert len(calls) == done
