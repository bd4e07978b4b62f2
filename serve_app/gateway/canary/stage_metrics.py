"""Counts what one gateway sees of a rollout's stage, as the controller's judgement wants it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sentiment.errors import InvalidInput
from sentiment.identifiers import new_id
from sentiment.labels import NEUTRAL
from serve_app.gateway.inference.failover import Judged, Verdict
from serve_app.routing.observations import MAX_EXAMPLES, Arm, Disagreement, Latencies, Observations, bucket_of
from serve_app.routing.traffic_table import TrafficTable

#: Late calls in a stage, and their share of those that were made, that one gateway may put down to the machine.
_EXCUSED: Final = 10
_EXCUSED_SHARE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Heard:
    """What a version said to a text. `alone`: where it failed, the champion did not, or was not there to be asked."""

    verdict: Verdict
    alone: bool = False

    @property
    def of_call(self) -> bool:
        """Whether no call was answered: what a version cannot read it says of each text."""
        return isinstance(self.verdict, Exception) and not isinstance(self.verdict, InvalidInput)


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

    def count(self, heard: Sequence[Heard]) -> None:
        """Count a micro-batch."""
        for each in heard:
            if not each.of_call:
                self._count_text(each)
        # the texts of one call bear its one time
        times = {each.verdict.call_ms for each in heard if isinstance(each.verdict, Judged)} - {None}
        self.latency.update(bucket_of(call_ms) for call_ms in times if call_ms is not None)
        self.calls += len(times)
        if failed := [each for each in heard if each.of_call]:
            self.requests += 1
            self.errors += 1
            self.calls += 1
            self.lost += any(each.alone for each in failed)

    def _count_text(self, heard: Heard) -> None:
        self.requests += 1
        if isinstance(heard.verdict, Exception):
            self.errors += 1
            self.unread += heard.alone
            return
        self.labels[heard.verdict.label] += 1
        self.confidence_sum += heard.verdict.confidence

    def arm(self) -> Arm:
        latencies, labels = Latencies(dict(self.latency)), dict(self.labels)
        alone = self.unread, self.calls, self.lost
        return Arm(self.requests, self.errors, latencies, labels, self.confidence_sum, *alone)


@dataclass(eq=False)
class Tally:
    """The counts of one stage, from nothing upwards. Belongs to one event loop."""

    _arms: dict[int, _ArmCounts] = field(default_factory=dict)
    _excused: Counter[int] = field(default_factory=Counter)
    _pairs: Counter[str] = field(default_factory=Counter)
    _examples: list[Disagreement] = field(default_factory=list)

    def asked(self, version: int, heard: Sequence[Heard]) -> None:
        """Count what a version said to the texts of one micro-batch."""
        self._arms.setdefault(version, _ArmCounts()).count(heard)

    def excuses(self, version: int) -> bool:
        """Whether one more late call may be put down to the machine; a version whose own slowness it is has many."""
        calls = self._arms[version].calls if version in self._arms else 0
        if self._excused[version] >= _EXCUSED + _EXCUSED_SHARE * calls:
            return False
        self._excused[version] += 1
        return True

    def mirrored(self, id_: str, champion: Judged, challenger: Verdict) -> Literal["agreed", "disagreed", "failed"]:
        """Compare what both versions said to the text of that id."""
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

    def dropped(self, texts: int) -> None:
        """Count texts that were to be mirrored and were not."""
        self._pairs["mirror_dropped"] += texts

    def labelled(self, label: str, champion: Judged, challenger: Judged) -> None:
        """Count a text whose true label is known, and which of the two said so."""
        self._pairs["labelled"] += 1
        right = champion.label == label, challenger.label == label
        if right == (True, False):
            self._pairs["only_champion_right"] += 1
        elif right == (False, True):
            self._pairs["only_challenger_right"] += 1

    def observations(self) -> Observations:
        """Return the counts up to now."""
        arms = {version: counts.arm() for version, counts in self._arms.items()}
        return Observations(arms=arms, examples=tuple(self._examples), **self._pairs)


class Tallies:
    """The tally of the stage that is under way. `gateway` is a name of this gateway's own, never used again."""

    def __init__(self, table: Callable[[], TrafficTable | None]) -> None:
        self.gateway = new_id()
        self._table = table
        self._stage: tuple[str | None, int] = (None, 0)
        self._tally = Tally()

    def current(self) -> Tally | None:
        """Return the tally of the table in force; None while no rollout is under way."""
        table = self._table()
        if table is None or table.rollout is None:
            return None
        if self._stage != (table.rollout, table.stage):
            self._stage, self._tally = (table.rollout, table.stage), Tally()
        return self._tally

    def report(self) -> dict[str, Any]:
        """Return the counts of the stage as plain values."""
        tally = self.current()
        rollout, stage = self._stage if tally else (None, 0)
        counts = (tally.observations() if tally else Observations()).to_json()
        return {"gateway": self.gateway, "rollout": rollout, "stage": stage, "counts": counts}
