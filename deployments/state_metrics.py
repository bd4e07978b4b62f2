"""Metrics of what a replica says of its own state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray.util.metrics import Counter, Gauge


class StateMetrics:
    """Publishes fields of a state: `gauges` as they are, `counters` of fields that only grow by what came."""

    def __init__(self, gauges: Mapping[str, Gauge], counters: Mapping[str, Counter]) -> None:
        self._gauges, self._counters = gauges, counters
        self._counted = dict.fromkeys(counters, 0)

    def publish(self, state: Mapping[str, Any]) -> None:
        """Publish a state, by field."""
        for name, gauge in self._gauges.items():
            gauge.set(state[name])
        for name, counter in self._counters.items():
            if state[name] > self._counted[name]:
                counter.inc(state[name] - self._counted[name])
                self._counted[name] = state[name]
