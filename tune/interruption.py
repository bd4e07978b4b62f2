"""How a search that is told to end ends: with what it found so far, and a status that says which signal it was."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from train_jobs.runtime.signals import signal_handlers_restored

_ENDING: Final = (signal.SIGTERM, signal.SIGHUP)
_STATUS: Final = 128  # a shell's status of a program that a signal ended, less the signal's number


class SearchInterrupted(KeyboardInterrupt):
    """A search was ended by a signal: `status` is for the process, `found` what it had by then, as `plain` tells it."""

    def __init__(self, status: int, found: Mapping[str, Any] | None = None) -> None:
        super().__init__(status, found)
        self.status, self.found = status, found


class Interruption:
    """Takes SIGTERM and SIGHUP for Ctrl+C, and remembers which it was. Ray Tune takes Ctrl+C as the order to end."""

    def __init__(self) -> None:
        self._number = signal.SIGINT

    @property
    def status(self) -> int:
        """The exit status of a process that was ended so: 130 by Ctrl+C, 143 by SIGTERM."""
        return _STATUS + self._number

    def listen(self) -> None:
        """Take the signals; again after whoever takes them for itself, as Ray's start and Ray Tune do."""
        if threading.current_thread() is not threading.main_thread():
            return  # signals are the main thread's
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in _ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup asks for
                signal.signal(number, self._end)

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._number = signal.Signals(number)
        order = signal.getsignal(signal.SIGINT)
        if not callable(order):
            raise KeyboardInterrupt
        order(signal.SIGINT, frame)


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Take the signals that end a process while the block runs, and give them back to who had them."""
    interruption = Interruption()
    with signal_handlers_restored():
        interruption.listen()
        yield interruption
