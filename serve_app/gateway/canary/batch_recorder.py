"""What a gateway notes of its micro-batches: for a rollout's judgement, for its own patience, and for the mirror."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Final

from sentiment.errors import DeadlineExceeded
from serve_app.gateway.canary.shadow import Answered, Mirror
from serve_app.gateway.canary.stage_metrics import Heard, Tallies
from serve_app.gateway.canary.throughput_baseline import Overload, work_of
from serve_app.gateway.inference.failover import Judged, Question, Verdict
from serve_app.gateway.inference.request import Asked
from serve_app.routing.traffic_table import TrafficTable

#: What is counted of a version whose texts the trusted one was asked about at once, or nobody.
_PASSED_OVER: Final = DeadlineExceeded("the version on trial had no room or was late")


@dataclass(frozen=True)
class Notes:
    """Notes micro-batches. A version is late when its texts wait longer than `patience_s`.

    `is_filled`: the ingress gives single texts to one gateway as long as it suffices (`Overload`).
    """

    tallies: Tallies
    overload: Overload
    mirror: Mirror
    patience_s: float
    is_filled: bool = False

    def note(
        self,
        table: TrafficTable,
        asked: Sequence[Asked],
        said: Sequence[Verdict],
        told: Sequence[Verdict],
        kept: Sequence[tuple[str, Verdict]],
    ) -> None:
        """Note what each text's own version `said`, what its caller is `told`, and what was `kept` under which id."""
        self._weigh(table, asked, said)
        if self.tallies.current() is not None:
            self._note_time(table, asked)
            self._count(table, asked, said, told)
            self._mirror(table, asked, kept)

    def _count(
        self, table: TrafficTable, asked: Sequence[Asked], said: Sequence[Verdict], told: Sequence[Verdict]
    ) -> None:
        """Count what each version did with the texts that it was given by chance, not by its caller's wish."""
        tally = self.tallies.current()
        if tally is None:
            return
        heard: defaultdict[int, list[Heard]] = defaultdict(list)
        late: defaultdict[int, list[Heard]] = defaultdict(list)
        for each, own, final in zip(asked, said, told, strict=True):
            item, question = each.item, each.question
            if not item.by_chance or not question.text:
                continue
            alone = isinstance(final, Judged) or table.champion is None
            if each.passed_over(table):
                (heard if item.refused else late)[item.route.version].append(Heard(_PASSED_OVER, alone))
            (late if _is_late(table, question, own) else heard)[question.route.version].append(Heard(own, alone))
            if final is not own and question.fallback is not None:
                heard[question.fallback.version].append(Heard(final))
        is_crowded = self.overload.longest_s(time.monotonic()) > self.patience_s  # the trusted version is late as well
        for version, some in late.items():
            if not (is_crowded and tally.excuses(version)):
                heard[version] += some
        for version, some in heard.items():
            tally.asked(version, some)

    def _note_time(self, table: TrafficTable, asked: Sequence[Asked]) -> None:
        """Note how long the texts that the trusted version was chosen for have taken since."""
        items = [each.item for each in asked]
        trusted = [item for item in items if item.route.version == table.trusted.version and not item.bulk]
        if trusted:
            self.overload.took(time.perf_counter() - min(item.handed for item in trusted), time.monotonic())

    def _weigh(self, table: TrafficTable, asked: Sequence[Asked], said: Sequence[Verdict]) -> None:
        """Note what the trusted version gets through; what a challenger refuses counts where the champion did more."""
        version, champion, tally = table.trusted.version, table.succeeded, self.tallies.current()
        counts = [each.item.bulk or not self.is_filled or champion is not None for each in asked]
        questions = [each.question for each in compress(asked, counts)]
        work = work_of(version, questions, list(compress(said, counts)))
        self.overload.keep({route.version for route in table.routes} | set(table.sides or ()))
        if champion is None:
            self.overload.carried(version, work, time.monotonic())
        elif self.overload.tells_against(version, champion, work) and tally is not None:
            tally.asked(version, [Heard(_PASSED_OVER, alone=True)])

    def _mirror(self, table: TrafficTable, asked: Sequence[Asked], kept: Sequence[tuple[str, Verdict]]) -> None:
        """Offer what the trusted version was asked and answered: only drawn texts, none that another failed on."""
        answered = [
            Answered(id_, each.question.text, verdict)
            for each, (id_, verdict) in zip(asked, kept, strict=True)
            if each.item.by_chance and each.question.fallback is None and isinstance(verdict, Judged)
            if verdict.route.version == table.trusted.version
        ]
        self.mirror.offer(table, answered)


def _is_late(table: TrafficTable, question: Question, own: Verdict) -> bool:
    """Whether a version on trial did not answer in time."""
    return question.route.version != table.trusted.version and isinstance(own, DeadlineExceeded)
