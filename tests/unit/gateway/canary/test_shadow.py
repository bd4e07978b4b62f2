"""How often a version is asked about texts that others answer, while these keep the platform busy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from serve_app.gateway.canary.shadow import Answered, Mirror
from serve_app.gateway.canary.stage_metrics import StageMetrics
from serve_app.gateway.inference.answer_cache import CachedAnswer
from serve_app.gateway.inference.failover import Events
from serve_app.gateway.inference.request import InferenceRequest, InferenceResult
from tests.unit.gateway.fake_parts import ROUTE, TRIAL, canary_of

CALL_S = 0.05
CALLS = 4


class NeverIdle:
    """Live texts that follow each other without a gap."""

    idle = False

    async def quiet(self) -> None:
        await asyncio.Event().wait()


class SlowClassifier:
    """A version that takes its time, and remembers when it was asked."""

    def __init__(self) -> None:
        self.events = Events()
        self.asked_s: list[float] = []

    async def classify(self, requests: Sequence[InferenceRequest]) -> list[InferenceResult]:
        self.asked_s.append(time.monotonic())
        await asyncio.sleep(CALL_S)
        return [InferenceResult(request.route, CachedAnswer((0.8, 0.1, 0.1), False)) for request in requests]


async def gaps_s(weight: float) -> list[float]:
    """Return the times between the calls to a version with this share of the traffic."""
    classifier, table = SlowClassifier(), canary_of(weight, shadow=1.0)
    mirror = Mirror(classifier, StageMetrics(lambda: table), NeverIdle(), draw=lambda: 0.0)
    answered = Answered("1", "love", InferenceResult(ROUTE, CachedAnswer((0.8, 0.1, 0.1), False), call_ms=1.0))
    for _ in range(CALLS):
        mirror._enqueue(replace(TRIAL, weight=weight, shadow=1.0), [answered], timed=True)
    assert mirror._task
    await mirror._task
    return [later - earlier for earlier, later in pairwise(classifier.asked_s)]


@pytest.mark.parametrize("weight", [0.1, 0.5])
async def test_a_version_that_answers_callers_too_is_asked_much_more_rarely_than_one_in_the_shadow(weight):
    in_shadow, on_canary = await gaps_s(0.0), await gaps_s(weight)
    assert min(in_shadow) >= 0.25
    assert min(on_canary) >= 15 * CALL_S
    assert sum(on_canary) > sum(in_shadow)
