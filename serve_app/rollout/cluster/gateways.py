"""Asks all gateways at once: each answers for itself, so that one that is frozen or dying hides no other's answer."""

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
#: How much longer it waits once as many have answered as the last time: a frozen one shall not slow each round.
_GRACE_S: Final = 0.25

_LATE: Final = "no answer"

#: Calls a method of every gateway that is there; returns one answer to await for each of them.
Broadcast = Callable[..., Awaitable[Sequence[Awaitable[Any]]]]


class AllGateways:
    """The gateways that `broadcast` reaches; those that fail or do not answer in time are left out, logged once."""

    def __init__(self, broadcast: Broadcast, *, push_s: float = _PUSH_S, counts_s: float = _COUNTS_S) -> None:
        self._broadcast = broadcast
        self._push_s = push_s
        self._counts_s = counts_s
        self._told: dict[str, str] = {}
        self._settled: int | None = None

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
        except Exception as exc:  # noqa: BLE001 - whatever it was, there is another round
            logger.info("%s: no gateway could be asked (%s: %s)", method, type(exc).__name__, exc)
            return []
        enough = len(calls) if self._settled is None else self._settled
        answers, missing = await answers_within(calls, ends_s - time.monotonic(), enough)
        self._settled = len(calls) - missing.count(_LATE)
        few = f"{len(answers)} of {len(calls)} gateways answered; the others: {', '.join(missing)}"
        self._tell(method, few if missing else "")
        return answers

    def _tell(self, method: str, problem: str) -> None:
        """Log what is wrong once, and once that it is over."""
        if problem != self._told.get(method, ""):
            logger.warning("%s: %s", method, problem or "all gateways answer again")
            self._told[method] = problem


async def answers_within(
    calls: Sequence[Awaitable[Any]], patience_s: float, enough: int
) -> tuple[list[Any], list[str]]:
    """Return the answers that come within `patience_s`, and the names of what came in place of the others.

    Once `enough` calls have ended, the others are given up soon.
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
    """Return what an ended call raised; of one that was cancelled at its other end asyncio would raise that here."""
    return asyncio.CancelledError() if task.cancelled() else task.exception()


def gateways_of(app_name: str) -> AllGateways:
    """Return the gateways of a Serve application."""

    async def broadcast(method: str, *args: Any) -> list[Awaitable[Any]]:
        handle = serve.get_deployment_handle("Gateway", app_name, _check_exists=False)
        # Ray's own `results_async` raises for all where one is late; underneath it has a result for each replica.
        replicas = await handle.broadcast(method, *args)._fetch_replica_results_async()
        return [replica.get_async() for replica in replicas]

    return AllGateways(broadcast)
