from __future__ import annotations

import asyncio
import inspect
import logging
import time
from typing import Any

from ray.serve.handle import DeploymentBroadcastResponse

from serve_app.rollout.cluster.gateways import AllGateways


class Replicas:
    """Gateways that a test freezes, kills and lets answer again."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.frozen: set[str] = set()
        self.dying: set[str] = set()
        self.cancelled: set[str] = set()
        self.pushed: list[tuple[str, int]] = []
        self.unreachable = False

    async def broadcast(self, method: str, *args: Any) -> list[Any]:
        if self.unreachable:
            raise RuntimeError("no replica")
        return [self._answer(name, *args) for name in self.names]

    async def _answer(self, name: str, *args: Any) -> Any:
        if name in self.frozen:
            await asyncio.sleep(60)
        if name in self.dying:
            raise ConnectionError(name)
        if name in self.cancelled:
            raise asyncio.CancelledError
        if not args:
            return {"gateway": name}
        self.pushed.append((name, args[0]))
        return None


def names_in(told: list[dict[str, Any]]) -> list[str]:
    return [counts["gateway"] for counts in told]


async def test_a_gateway_that_is_frozen_or_dies_hides_no_counts_of_the_others():
    replicas = Replicas("one", "two", "three")
    gateways = AllGateways(replicas.broadcast, counts_s=0.1)
    assert names_in(await gateways.observations()) == ["one", "two", "three"]
    replicas.frozen, replicas.dying = {"one"}, {"three"}
    assert names_in(await gateways.observations()) == ["two"]
    replicas.frozen.clear()
    assert names_in(await gateways.observations()) == ["one", "two"]


async def test_a_call_that_was_cancelled_at_its_gateway_is_a_missing_answer_like_others(caplog):
    replicas = Replicas("one", "two")
    replicas.cancelled = {"one"}
    gateways = AllGateways(replicas.broadcast, push_s=1, counts_s=1)
    assert names_in(await gateways.observations()) == ["two"]
    await gateways.push(7, {})
    assert replicas.pushed == [("two", 7)]
    assert "observations: 1 of 2 gateways answered; the others: CancelledError" in caplog.messages


async def test_a_gateway_that_stays_frozen_slows_no_later_round_and_is_heard_again():
    replicas = Replicas("one", "two")
    replicas.frozen = {"one"}
    gateways = AllGateways(replicas.broadcast, push_s=30, counts_s=2)
    await gateways.observations()
    started_s = time.monotonic()
    assert names_in(await gateways.observations()) == ["two"]
    await gateways.push(7, {})
    assert time.monotonic() - started_s < 2
    replicas.frozen.clear()
    for _ in range(2):
        assert names_in(await gateways.observations()) == ["one", "two"]


async def test_a_table_reaches_the_gateways_beside_a_frozen_one():
    replicas = Replicas("one", "two")
    replicas.frozen = {"one"}
    await AllGateways(replicas.broadcast, push_s=0.1).push(7, {})
    assert replicas.pushed == [("two", 7)]


async def test_that_a_gateway_is_silent_is_logged_once_and_so_is_that_it_answers_again(caplog):
    caplog.set_level(logging.INFO, "serve_app.rollout.cluster.gateways")
    replicas = Replicas("one", "two")
    gateways = AllGateways(replicas.broadcast, counts_s=0.05)
    for frozen in (set(), {"one"}, {"one"}, {"one"}, set(), set()):
        replicas.frozen = frozen
        await gateways.observations()
    assert [record.getMessage() for record in caplog.records] == [
        "observations: 1 of 2 gateways answered; the others: no answer",
        "observations: all gateways answer again",
    ]


async def test_where_no_gateway_can_be_asked_nothing_is_told_and_nothing_raised():
    replicas = Replicas("one")
    replicas.unreachable = True
    gateways = AllGateways(replicas.broadcast)
    await gateways.push(1, {})
    assert await gateways.observations() == []


def test_ray_still_has_the_result_of_each_replica():
    assert inspect.iscoroutinefunction(DeploymentBroadcastResponse._fetch_replica_results_async)
