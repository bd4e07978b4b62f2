"""The counts of one gateway for a rollout's stage, which the controller collects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sentiment.errors import InvalidInput
from sentiment.identifiers import new_id
from sentiment.labels import NEUTRAL
from serve_app.gateway.inference.request import InferenceOutcome, InferenceResult
from serve_app.routing.observations import MAX_EXAMPLES, Arm, Disagreement, Latencies, Observations, bucket_of
from serve_app.routing.traffic_table import TrafficTable

#: Late calls of a stage that one gateway may blame on an overloaded machine: this many, and this share of all calls.
_EXCUSED: Final = 10
_EXCUSED_SHARE: Final = 0.1


@dataclass(frozen=True, slots=True)
class ArmResult:
    """A version's outcome for one text."""

    outcome: InferenceOutcome
    alone: bool = False
    """Whether a failure is the version's own: the champion did not fail, or was not there to be asked."""

    @property
    def is_failed_call(self) -> bool:
        """Whether the whole call failed, rather than this text, which the version cannot read."""
        return isinstance(self.outcome, Exception) and not isinstance(self.outcome, InvalidInput)


@dataclass(eq=False)
class _ArmCounts:
    requests: int = 0
    errors: int = 0
    latency: Counter[int] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    confidence_sum: float = 0.0
    unread: int = 0
    calls: int = 0
    lost: int = 0

    def count(self, results: Sequence[ArmResult]) -> None:
        """Count a micro-batch."""
        for each in results:
            if not each.is_failed_call:
                self._count_text(each)
        # all texts of a call have the same duration
        times = {each.outcome.call_ms for each in results if isinstance(each.outcome, InferenceResult)} - {None}
        self.latency.update(bucket_of(call_ms) for call_ms in times if call_ms is not None)
        self.calls += len(times)
        if failed := [each for each in results if each.is_failed_call]:
            self.requests += 1
            self.errors += 1
            self.calls += 1
            self.lost += any(each.alone for each in failed)

    def _count_text(self, result: ArmResult) -> None:
        self.requests += 1
        if isinstance(result.outcome, Exception):
            self.errors += 1
            self.unread += result.alone
            return
        self.labels[result.outcome.label] += 1
        self.confidence_sum += result.outcome.confidence

    def arm(self) -> Arm:
        latencies, labels = Latencies(dict(self.latency)), dict(self.labels)
        alone = self.unread, self.calls, self.lost
        return Arm(self.requests, self.errors, latencies, labels, self.confidence_sum, *alone)


@dataclass(eq=False)
class StageCounts:
    """The counts of one stage, which start at zero. Belongs to one event loop."""

    _arms: dict[int, _ArmCounts] = field(default_factory=dict)
    _excused: Counter[int] = field(default_factory=Counter)
    _pairs: Counter[str] = field(default_factory=Counter)
    _examples: list[Disagreement] = field(default_factory=list)

    def add(self, version: int, results: Sequence[ArmResult]) -> None:
        """Count a version's results for the texts of one micro-batch."""
        self._arms.setdefault(version, _ArmCounts()).count(results)

    def excuse_late_call(self, version: int) -> bool:
        """Return whether a late call may be blamed on the machine. Only few may: a version that is slow has many."""
        calls = self._arms[version].calls if version in self._arms else 0
        if self._excused[version] >= _EXCUSED + _EXCUSED_SHARE * calls:
            return False
        self._excused[version] += 1
        return True

    def compare(
        self, id_: str, champion: InferenceResult, challenger: InferenceOutcome
    ) -> Literal["agreed", "disagreed", "failed"]:
        """Compare the results of both versions for the text of that id."""
        if isinstance(challenger, Exception):
            return "failed"
        self._pairs["compared"] += 1
        labels = champion.label, challenger.label
        if labels[0] == labels[1]:
            return "agreed"
        self._pairs["disagreed"] += 1
        self._pairs["neutral_flips"] += NEUTRAL in labels
        if len(self._examples) < MAX_EXAMPLES:
            self._examples.append(Disagreement(id_, labels[0], champion.confidence, labels[1], challenger.confidence))
        return "disagreed"

    def add_dropped(self, texts: int) -> None:
        """Count texts that were not mirrored because the queue was full."""
        self._pairs["mirror_dropped"] += texts

    def add_label(self, label: str, champion: InferenceResult, challenger: InferenceResult) -> None:
        """Count a text whose true label is known, and which of the two versions is right about it."""
        self._pairs["labelled"] += 1
        right = champion.label == label, challenger.label == label
        if right == (True, False):
            self._pairs["only_champion_right"] += 1
        elif right == (False, True):
            self._pairs["only_challenger_right"] += 1

    def observations(self) -> Observations:
        """Return the counts so far."""
        arms = {version: counts.arm() for version, counts in self._arms.items()}
        return Observations(arms=arms, examples=tuple(self._examples), **self._pairs)


class StageMetrics:
    """The counts of the stage under way. `gateway` is this gateway's unique name."""

    def __init__(self, table: Callable[[], TrafficTable | None]) -> None:
        self.gateway = new_id()
        self._table = table
        self._stage: tuple[str | None, int] = (None, 0)
        self._counts = StageCounts()

    def current(self) -> StageCounts | None:
        """Return the counts of the table in force; None while no rollout is under way."""
        table = self._table()
        if table is None or table.rollout is None:
            return None
        if self._stage != (table.rollout, table.stage):
            self._stage, self._counts = (table.rollout, table.stage), StageCounts()
        return self._counts

    def report(self) -> dict[str, Any]:
        """Return the counts of the stage as JSON's plain values."""
        counts = self.current()
        rollout, stage = self._stage if counts else (None, 0)
        observations = (counts.observations() if counts else Observations()).to_json()
        return {"gateway": self.gateway, "rollout": rollout, "stage": stage, "counts": observations}
