"""How a run of the tests ends."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from typing import Final

import pytest

from tests.hypothesis_profile import register_profiles

register_profiles()

_SESSION: Final = pytest.StashKey[pytest.Session]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Remember the session, whose exit status is known at its end."""
    session.config.stash[_SESSION] = session


def pytest_collection_finish(session: pytest.Session) -> None:
    """Keep the garbage collector from looking through all that is loaded, again and again: it stays to the end."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End the process with the run's exit status once all that Python ends in order has ended.

    The libraries that tests load leave threads of their own. One of them once called into memory that the end of the
    interpreter had freed: all tests had passed, and the run failed by a segmentation fault.
    """
    session = config.stash.get(_SESSION, None)
    if session is None:
        return
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(session.exitstatus))
