"""A blocking call that a round waits for only briefly: a later round takes a late result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")


class BackgroundCall(Generic[_T]):
    """Runs one blocking call at a time, in a thread."""

    def __init__(self) -> None:
        self._task: asyncio.Task[_T] | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether a call has begun whose result was not taken yet."""
        return self._task is not None

    def begin(self, call: Callable[..., _T], *args: Any) -> None:
        """Begin a call.

        Raises:
            RuntimeError: the result of the call before was not taken yet.
        """
        if self._task is not None:
            raise RuntimeError("a call is under way already, and its result was not taken yet")
        self._task = asyncio.create_task(asyncio.to_thread(call, *args))

    async def ended(self, patience_s: float) -> asyncio.Task[_T] | None:
        """Take the call if it ends within `patience_s`: its task holds the result or the error. None if it does not."""
        if self._task is None:
            return None
        done, _ = await asyncio.wait({self._task}, timeout=patience_s)
        if not done:
            return None
        task, self._task = self._task, None
        return task
