"""Group commit: one thread does work for many callers at once that costs nearly the same for one, such as a sync."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from sentiment.errors import Unavailable

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")

MAX_GROUP: Final = 256


@dataclass(frozen=True, slots=True)
class Waiting(Generic[Item, Result]):
    """An item and the future that its sender waits for."""

    item: Item
    future: Future[Result]


def running_future() -> Future[Any]:
    """Return a future that cannot be cancelled: a caller that leaves must not undo work that others share."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future


class GroupCommit(Generic[Item, Result]):
    """Gathers items while `commit` is busy and passes them on as one group, in order.

    `commit` resolves each future itself, at once or later; if it raises, the unresolved ones get the exception.
    """

    def __init__(self, name: str, commit: Callable[[list[Waiting[Item, Result]]], None]) -> None:
        self._name = name
        self._commit = commit
        self._queue: queue.SimpleQueue[Waiting[Item, Result] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def submit(self, item: Item) -> Future[Result]:
        """Queue an item.

        Raises:
            Unavailable: after `close`.
        """
        waiting: Waiting[Item, Result] = Waiting(item, running_future())
        with self._lock:
            if self._closed:
                raise Unavailable(f"the {self._name} is closing; try again")
            self._queue.put(waiting)
        return waiting.future

    def close(self) -> None:
        """Commit what is queued and end the thread; closing twice is fine."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while group := self._next_group():
            try:
                self._commit(group)
            except Exception as exc:
                logger.exception("the %s failed", self._name)
                for waiting in group:
                    if not waiting.future.done():
                        waiting.future.set_exception(exc)

    def _next_group(self) -> list[Waiting[Item, Result]]:
        first = self._queue.get()
        group = [first] if first is not None else []
        while group and len(group) < MAX_GROUP:
            try:
                waiting = self._queue.get_nowait()
            except queue.Empty:
                break
            if waiting is None:
                self._queue.put(None)  # the end, seen again after this group
                break
            group.append(waiting)
        return group
