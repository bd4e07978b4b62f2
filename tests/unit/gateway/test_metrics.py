"""What a gateway tells Prometheus, without Ray: which counters, under which labels."""

from __future__ import annotations

from collections import Counter as Counted
from typing import Any, ClassVar

import pytest

from serve_app.gateway import metrics as gateway_metrics
from serve_app.gateway.inference.request import InferenceRequest
from tests.unit.gateway.fake_parts import ROUTE, TRIAL, FakeParts, service_of


class Recorder:
    """Takes what a counter, a gauge or a histogram takes."""

    counted: ClassVar[Counted[tuple[Any, ...]]] = Counted()

    def __init__(self, name: str, description: str, *, tag_keys: tuple[str, ...] = (), **_: object) -> None:
        self._name, self._tags = name, tag_keys

    def inc(self, amount: int, tags: dict[str, str]) -> None:
        assert tuple(tags) == self._tags
        self.counted[self._name, *tags.values()] += amount

    def set(self, value: float, tags: dict[str, str] | None = None) -> None:
        assert tuple(tags or ()) == self._tags


async def test_what_a_version_need_not_work_out_again_is_reported_under_its_name_once(monkeypatch: pytest.MonkeyPatch):
    for kind in ("Counter", "Gauge", "Histogram"):
        monkeypatch.setattr(gateway_metrics, kind, Recorder)
    metrics, service = gateway_metrics.GatewayMetrics(), service_of(FakeParts())
    for route in (ROUTE, TRIAL, TRIAL):
        await service.classifier.classify([InferenceRequest("meh", route), InferenceRequest("meh", route)])
        metrics.report(service.graph)
    assert Recorder.counted == {
        ("undertone_coalesced_total", "sentiment", "3"): 1,
        ("undertone_coalesced_total", "sentiment", "4"): 1,
        ("undertone_cache_hits_total", "sentiment", "4"): 2,
    }
