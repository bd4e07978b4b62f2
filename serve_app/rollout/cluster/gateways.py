"""Calls all gateways at once; a gateway that is frozen or dying does not hold up the answers of the others."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from ray import serve

logger = logging.getLogger(__name__)

_PUSH_S: Final = 5.0
_COUNTS_S: Final = 2.0
#: Once as many gateways have answered as the last time, the others get this much longer: a frozen one slows no round.
_GRACE_S: Final = 0.25

_LATE: Final = "no answer"

#: Calls a method of every running gateway; returns one awaitable answer for each.
Broadcast = Callable[..., Awaitable[Sequence[Awaitable[Any]]]]


class AllGateways:
    """The gateways that `broadcast` reaches. Those that fail or are late are left out of an answer, and logged once."""

    def __init__(self, broadcast: Broadcast, *, push_s: float = _PUSH_S, counts_s: float = _COUNTS_S) -> None:
        self._broadcast = broadcast
        self._push_s = push_s
        self._counts_s = counts_s
        self._logged: dict[str, str] = {}
        self._answering: int | None = None

    async def push(self, generation: int, body: dict[str, Any]) -> None:
        """See `Gateways.push`."""
        await self._ask(self._push_s, "update_traffic", generation, body)

    async def observations(self) -> list[dict[str, Any]]:
        """See `Gateways.observations`."""
        return [counts for counts in await self._ask(self._counts_s, "observations") if isinstance(counts, dict)]

    async def _ask(self, patience_s: float, method: str, *args: Any) -> list[Any]:
        ends_s = time.monotonic() + patience_s
        try:
            calls = await asyncio.wait_for(self._broadcast(method, *args), patience_s)
        except Exception as exc:  # noqa: BLE001 - the next round tries again
            logger.info("%s: no gateway could be called (%s: %s)", method, type(exc).__name__, exc)
            return []
        enough = len(calls) if self._answering is None else self._answering
        answers, missing = await answers_within(calls, ends_s - time.monotonic(), enough)
        self._answering = len(calls) - missing.count(_LATE)
        problem = f"{len(answers)} of {len(calls)} gateways answered; the others: {', '.join(missing)}"
        self._log_change(method, problem if missing else "")
        return answers

    def _log_change(self, method: str, problem: str) -> None:
        """Log a problem once, and once that it is over."""
        if problem != self._logged.get(method, ""):
            logger.warning("%s: %s", method, problem or "all gateways answer again")
            self._logged[method] = problem


async def answers_within(
    calls: Sequence[Awaitable[Any]], patience_s: float, enough: int
) -> tuple[list[Any], list[str]]:
    """Return the answers that come within `patience_s`, and for each other call the name of its error, or "no answer".

    Once `enough` calls have ended, the others get `_GRACE_S` more.
    """
    tasks = [asyncio.ensure_future(call) for call in calls]
    late, ends_s = set(tasks), time.monotonic() + patience_s
    while late and (left_s := ends_s - time.monotonic()) > 0:
        _, late = await asyncio.wait(late, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        if len(tasks) - len(late) >= enough:
            ends_s = min(ends_s, time.monotonic() + _GRACE_S)
    for task in late:
        task.cancel()
    errors = {task: _error_of(task) for task in tasks if task not in late}
    answers = [task.result() for task, exc in errors.items() if exc is None]
    return answers, sorted([_LATE] * len(late) + [type(exc).__name__ for exc in errors.values() if exc is not None])


def _error_of(task: asyncio.Future[Any]) -> BaseException | None:
    """Return what an ended call raised. `Task.exception` would raise for a call that the other side cancelled."""
    return asyncio.CancelledError() if task.cancelled() else task.exception()


def gateways_of(app_name: str) -> AllGateways:
    """Return the gateways of a Serve application."""

    async def broadcast(method: str, *args: Any) -> list[Awaitable[Any]]:
        handle = serve.get_deployment_handle("Gateway", app_name, _check_exists=False)
        # Ray's own `results_async` raises for all replicas if one is late, so the result of each is awaited instead.
        replicas = await handle.broadcast(method, *args)._fetch_replica_results_async()
        return [replica.get_async() for replica in replicas]

    return AllGateways(broadcast)
