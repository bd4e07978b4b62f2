"""How a search ends on a signal: with the results so far and the exit status of that signal."""

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
    """A signal ended a search: `status` is the exit status, `found` the results so far, as `plain` returns them."""

    def __init__(self, status: int, found: Mapping[str, Any] | None = None) -> None:
        super().__init__(status, found)
        self.status, self.found = status, found


class Interruption:
    """Turns SIGTERM and SIGHUP into Ctrl+C, which ends Ray Tune, and remembers which signal it was."""

    def __init__(self) -> None:
        self._number = signal.SIGINT

    @property
    def status(self) -> int:
        """The exit status for the signal: 130 for Ctrl+C, 143 for SIGTERM."""
        return _STATUS + self._number

    def listen(self) -> None:
        """Install the handlers; to be called again after Ray's start and Ray Tune, which install their own."""
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread may install handlers
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
    """Handle the signals that end a process while the block runs; restore the earlier handlers afterwards."""
    interruption = Interruption()
    with signal_handlers_restored():
        interruption.listen()
        yield interruption
