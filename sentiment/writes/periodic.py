"""An action that is repeated on a thread of its own until it is closed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from sentiment.errors import Unavailable

logger = logging.getLogger(__name__)


class Periodic:
    """Calls `action` at once and then every `period_s` seconds; failures are logged."""

    def __init__(self, name: str, period_s: float, action: Callable[[], object]) -> None:
        self._name = name
        self._period_s = period_s
        self._action = action
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def close(self, timeout_s: float = 5.0) -> None:
        """Stop; wait at most `timeout_s` for a running call."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            try:
                self._action()
            except Unavailable as exc:
                logger.info("%s: %s", self._name, exc)
            except Exception:
                logger.exception("%s failed", self._name)
            if self._stopping.wait(self._period_s):
                return
