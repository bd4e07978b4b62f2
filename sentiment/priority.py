"""Who goes first where processes share a machine's cores: niceness, from 0 to 19, more giving way to less.

On Linux each thread has its own; a thread and a process begin with that of who starts them.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from typing import Final

import psutil

logger = logging.getLogger(__name__)

#: Of jobs: as Ray's own for workers.
JOB_NICENESS: Final = 15
#: Of what starts beside that which serves, above the platform's own: a ninth of the weight, where both want a core.
_START_NICENESS: Final = 10
_MOST_NICENESS: Final = 19
_MOST_PASSES: Final = 10


def give_way() -> None:
    """Let this thread, and those that it starts, have the cores that nothing of ordinary priority wants."""
    os.nice(max(0, JOB_NICENESS - os.nice(0)))


def start_niceness() -> int:
    """Return by how much what starts shall give way until it calls `rise`: 0 where it could not take that back."""
    return min(_START_NICENESS, _MOST_NICENESS - os.nice(0)) if may_rise() else 0


def may_rise() -> bool:
    """Return whether a process here may take back the priority that it gave away; most may only give."""
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
    """Give all threads of this process the niceness of its parent, for a Ray worker that of its node, where permitted.

    A worker that has started calls it: so long it gave way to those that serve. Processes that it started stay.
    """
    try:
        wanted = os.getpriority(os.PRIO_PROCESS, os.getppid())
        for _ in range(_MOST_PASSES):  # a thread that is low may have started another meanwhile
            low = [thread for thread in _threads() if _niceness(thread) > wanted]
            if not low:
                return
            for thread in low:
                _set_niceness(thread, wanted)
        logger.warning("some threads stay at a niceness above %d: others are started all the time", wanted)
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
