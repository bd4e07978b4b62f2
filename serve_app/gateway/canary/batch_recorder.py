"""Records each answered micro-batch: for the analysis of a rollout, the throughput baseline, and the shadow."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Final

from sentiment.errors import DeadlineExceeded
from serve_app.gateway.canary.shadow import Answered, Mirror
from serve_app.gateway.canary.stage_metrics import ArmResult, StageMetrics
from serve_app.gateway.canary.throughput_baseline import ThroughputBaseline, work_of
from serve_app.gateway.inference.request import InferenceOutcome, InferenceRequest, InferenceResult, PreparedText
from serve_app.routing.traffic_table import TrafficTable

#: The result that is counted for a candidate that was not asked, because its queue was full or it was late.
_NOT_ASKED: Final = DeadlineExceeded("the candidate had no room or was late")


@dataclass(frozen=True)
class BatchRecorder:
    """Records micro-batches."""

    metrics: StageMetrics
    baseline: ThroughputBaseline
    mirror: Mirror
    patience_s: float
    """A version is late if its texts wait longer than this."""
    is_filled: bool = False
    """Whether the ingress sends single texts to one gateway until that is full (`ThroughputBaseline`)."""
    now_s: Callable[[], float] = time.monotonic
    """A steady clock in seconds; not the clock of `PreparedText`."""

    def record(
        self,
        table: TrafficTable,
        texts: Sequence[PreparedText],
        own_results: Sequence[InferenceOutcome],
        served_results: Sequence[InferenceOutcome],
        stored: Sequence[tuple[str, InferenceOutcome]],
    ) -> None:
        """Record a micro-batch; all sequences are in the order of `texts`.

        `own_results` are those of the version that was chosen, `served_results` what the callers get, `stored` the id
        and the result of each text.
        """
        self._record_throughput(table, texts, own_results)
        if self.metrics.current() is not None:
            self._record_wait(table, texts)
            self._count(table, texts, own_results, served_results)
            self._mirror(table, texts, stored)

    def _count(
        self,
        table: TrafficTable,
        texts: Sequence[PreparedText],
        own_results: Sequence[InferenceOutcome],
        served_results: Sequence[InferenceOutcome],
    ) -> None:
        """Count each version's results for the texts that it got by weight: no pin and no fixed split chose it."""
        counts = self.metrics.current()
        if counts is None:
            return
        in_time: defaultdict[int, list[ArmResult]] = defaultdict(list)
        late: defaultdict[int, list[ArmResult]] = defaultdict(list)
        for text, own, served in zip(texts, own_results, served_results, strict=True):
            submitted, request = text.submitted, text.request
            if not submitted.by_chance or not request.text:
                continue
            alone = isinstance(served, InferenceResult) or table.champion is None
            if text.passed_over(table):
                arm = in_time if submitted.refused else late
                arm[submitted.route.version].append(ArmResult(_NOT_ASKED, alone))
            (late if _is_late(table, request, own) else in_time)[request.route.version].append(ArmResult(own, alone))
            if served is not own and request.fallback is not None:
                in_time[request.fallback.version].append(ArmResult(served))
        is_crowded = self.baseline.longest_wait_s(self.now_s()) > self.patience_s  # the trusted version is late too
        for version, results in late.items():
            if not (is_crowded and counts.excuse_late_call(version)):
                in_time[version] += results
        for version, results in in_time.items():
            counts.add(version, results)

    def _record_wait(self, table: TrafficTable, texts: Sequence[PreparedText]) -> None:
        """Record how long the texts of the trusted version have waited."""
        submitted = [text.submitted for text in texts]
        trusted = [each for each in submitted if each.route.version == table.trusted.version and not each.bulk]
        if trusted:
            self.baseline.record_wait(time.perf_counter() - min(each.handed for each in trusted), self.now_s())

    def _record_throughput(
        self, table: TrafficTable, texts: Sequence[PreparedText], own_results: Sequence[InferenceOutcome]
    ) -> None:
        """Record the trusted version's throughput; count refused texts against a challenger that is slower."""
        version, champion, counts = table.trusted.version, table.succeeded, self.metrics.current()
        is_counted = [text.submitted.bulk or not self.is_filled or champion is not None for text in texts]
        requests = [text.request for text in compress(texts, is_counted)]
        work = work_of(version, requests, list(compress(own_results, is_counted)))
        self.baseline.forget_others({route.version for route in table.routes} | set(table.sides or ()))
        if champion is None:
            self.baseline.record_work(version, work, self.now_s())
        elif self.baseline.counts_refusal(version, champion, work) and counts is not None:
            counts.add(version, [ArmResult(_NOT_ASKED, alone=True)])

    def _mirror(
        self, table: TrafficTable, texts: Sequence[PreparedText], stored: Sequence[tuple[str, InferenceOutcome]]
    ) -> None:
        """Offer texts that the trusted version answered by weight; none that it answered after a failover."""
        answered = [
            Answered(id_, text.request.text, outcome)
            for text, (id_, outcome) in zip(texts, stored, strict=True)
            if text.submitted.by_chance and text.request.fallback is None and isinstance(outcome, InferenceResult)
            if outcome.route.version == table.trusted.version
        ]
        self.mirror.offer(table, answered)


def _is_late(table: TrafficTable, request: InferenceRequest, own: InferenceOutcome) -> bool:
    """Whether a candidate did not answer in time."""
    return request.route.version != table.trusted.version and isinstance(own, DeadlineExceeded)
