"""The handlers of signals, given back after a library has taken them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_TAKEN: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


@contextmanager
def signal_handlers_restored() -> Iterator[None]:
    """Restore the handlers of signals when the block ends; does nothing outside the main thread.

    Ray Train and Ray Tune take SIGINT for a run and keep it afterwards: the next Ctrl+C would end nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in _TAKEN}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
