"""A blocking call that no round waits for longer than a little: what it says later is taken by a later round."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")


class BackgroundCall(Generic[_T]):
    """One such call at a time, in a thread of its own."""

    def __init__(self) -> None:
        self._task: asyncio.Task[_T] | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether a call was begun whose outcome nobody has taken yet."""
        return self._task is not None

    def begin(self, call: Callable[..., _T], *args: Any) -> None:
        """Begin a call; the one before must have been taken."""
        if self._task is not None:
            raise RuntimeError("a call is under way already, and its outcome is not taken yet")
        self._task = asyncio.create_task(asyncio.to_thread(call, *args))

    async def ended(self, patience_s: float) -> asyncio.Task[_T] | None:
        """Return the call once it has ended, so that its result, or what it raised, is taken; None while it has not."""
        if self._task is None:
            return None
        done, _ = await asyncio.wait({self._task}, timeout=patience_s)
        if not done:
            return None
        task, self._task = self._task, None
        return task
