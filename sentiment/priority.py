"""The priorities of processes that share a machine's cores: niceness from 0 to 19, where more gives way to less.

On Linux each thread has its own; threads and processes inherit it from their creator.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from typing import Final

import psutil

logger = logging.getLogger(__name__)

#: Niceness of jobs, the same as Ray's default for workers.
JOB_NICENESS: Final = 15
#: Added for processes that start while others serve: they get a ninth of the weight where both want a core.
_START_NICENESS: Final = 10
_MOST_NICENESS: Final = 19
_MOST_PASSES: Final = 10


def give_way() -> None:
    """Lower the priority of this thread, and of those that it starts, to that of jobs."""
    os.nice(max(0, JOB_NICENESS - os.nice(0)))


def start_niceness() -> int:
    """Return the niceness to add to a starting process until it calls `rise`; 0 if `rise` would not be permitted."""
    return min(_START_NICENESS, _MOST_NICENESS - os.nice(0)) if may_rise() else 0


def may_rise() -> bool:
    """Return whether a process here may raise its priority again; most may only lower it."""
    permitted: list[int] = []

    def try_it() -> None:
        before = os.nice(0)
        os.nice(1)
        try:
            os.setpriority(os.PRIO_PROCESS, 0, before)
            permitted.append(before)
        except PermissionError:
            pass

    if psutil.LINUX:  # elsewhere niceness is the whole process's, and would not come back
        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
    return bool(permitted)


def rise() -> None:
    """Give all threads of this process the niceness of its parent (for a Ray worker, its node), where permitted.

    A worker calls it when it has started: until then it gives way to those that serve.
    """
    try:
        parent_niceness = os.getpriority(os.PRIO_PROCESS, os.getppid())
        for _ in range(_MOST_PASSES):  # a thread that is low may have started another meanwhile
            low = [thread for thread in _threads() if _niceness(thread) > parent_niceness]
            if not low:
                return
            for thread in low:
                _set_niceness(thread, parent_niceness)
        logger.warning("some threads stay at a niceness above %d: others are started all the time", parent_niceness)
    except PermissionError:
        logger.info("niceness stays at %d: this process may not lower it", os.nice(0))
    except ProcessLookupError:
        logger.info("niceness stays at %d: this process's parent has ended", os.nice(0))


def _threads() -> list[int]:
    return [thread.id for thread in psutil.Process().threads()] if psutil.LINUX else [os.getpid()]


def _niceness(thread: int) -> int:
    try:
        return os.getpriority(os.PRIO_PROCESS, thread)
    except ProcessLookupError:
        return 0  # it has ended


def _set_niceness(thread: int, niceness: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended
        os.setpriority(os.PRIO_PROCESS, thread, niceness)
