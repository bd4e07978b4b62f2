"""One ingest from a source to a platform: what is counted, what a kill at any moment costs, how far it reads ahead."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentiment.errors import Unavailable
from sentiment.ingest import Ingest, IngestLimits, IngestTotals, open_checkpoint
from sentiment.sources import Rejected, SourceDeletion, SourceRecord, SourceText, TextSource
from tests.hypothesis_profile import examples
from tests.unit.ingest.fake_delivery import FakeDelivery, ListSource


def texts(count: int) -> list[SourceText]:
    return [SourceText(f"t:{number}", f"text number {number}") for number in range(1, count + 1)]


async def run(
    folder: Path,
    source: TextSource,
    delivery: FakeDelivery,
    limits: IngestLimits | None = None,
    killed_after: int | None = None,
) -> IngestTotals:
    """Run an ingest; `killed_after` so many answered batches it ends without a word, as by a kill."""
    batches = 0

    def progress(_: IngestTotals) -> None:
        nonlocal batches
        batches += 1
        if batches == killed_after:
            raise Killed

    with open_checkpoint(folder, "t", {}) as checkpoint:
        return await Ingest(source, delivery, checkpoint, limits or IngestLimits(batch_rows=4), progress).run()


class Killed(BaseException):
    """What a kill looks like from inside."""


def counts(totals: IngestTotals) -> dict[str, int]:
    return {name: count for name, count in totals.plain().items() if name != "seconds"}


async def test_every_record_is_kept_or_set_aside(tmp_path):
    records: list[SourceRecord] = [*texts(6), Rejected("is empty", {"text": ""}), SourceText("t:8", "bad")]
    delivery = FakeDelivery(refused=frozenset({"bad"}))
    totals = await run(tmp_path, ListSource(records), delivery)
    assert (totals.read, totals.kept, totals.rejected) == (8, 6, 2)
    aside = [json.loads(line) for line in (tmp_path / "t" / "rejected.jsonl").read_text().splitlines()]
    assert [(line["row"], line["reason"]) for line in aside] == [(7, "is empty"), (8, "is refused")]
    assert aside[1]["values"] == {"id": "t:8", "text": "bad", "author": None}


async def test_copies_are_folded_and_kept_and_a_repeated_id_is_kept_once(tmp_path):
    records = [
        SourceText("t:1", "Great food at https://a.example/1"),
        SourceText("t:2", "RT @ann: great food at https://b.example/2!"),
        SourceText("t:3", "another text", is_corrected=True),
        SourceText("t:1", "Great food at https://a.example/1"),
        SourceText("t:3", "edited since"),
    ]
    delivery = FakeDelivery()
    totals = await run(tmp_path, ListSource(records), delivery, IngestLimits(batch_rows=1))
    assert (totals.read, totals.kept, totals.folded, totals.repeated) == (5, 3, 1, 1)
    assert (totals.rejected, totals.corrected, totals.deleted) == (1, 1, 0)
    assert len(delivery.kept) == totals.kept


@given(kills=st.lists(st.integers(1, 4), max_size=6), data=st.data())
@settings(max_examples=examples(20), deadline=None, suppress_health_check=list(HealthCheck))
async def test_killed_at_any_moments_it_counts_and_keeps_as_if_it_never_was(tmp_path_factory, kills, data):
    words = data.draw(st.lists(st.sampled_from(["", "a", "b", "RT @x: a", "c d", "bad"]), max_size=30))
    records = [SourceText(f"t:{n}", w) if w else Rejected("is empty", {}) for n, w in enumerate(words)]
    whole, broken = (FakeDelivery(refused=frozenset({"bad"})) for _ in range(2))
    expected = await run(tmp_path_factory.mktemp("whole"), ListSource(records), whole)
    folder = tmp_path_factory.mktemp("broken")
    for kill in kills:
        try:
            await run(folder, ListSource(records), broken, killed_after=kill)
        except Killed:
            continue
    totals = await run(folder, ListSource(records), broken)
    assert counts(totals) == counts(expected)
    assert broken.kept == whole.kept
    assert (folder / "t" / "rejected.jsonl").read_bytes().count(b"\n") == expected.rejected


async def test_a_platform_that_goes_away_leaves_what_it_answered_and_the_same_run_goes_on(tmp_path):
    source = ListSource(texts(20))
    with pytest.raises(Unavailable, match="nothing answers"):
        await run(tmp_path, source, FakeDelivery(fails_after=3))
    second = FakeDelivery()
    totals = await run(tmp_path, source, second)
    assert (totals.read, totals.kept) == (20, 20)
    assert len(second.kept) == 8, "three batches of four had been answered"


async def test_a_source_that_breaks_leaves_all_that_came_before(tmp_path):
    delivery = FakeDelivery()
    with pytest.raises(Unavailable, match="the source is away"):
        await run(tmp_path, ListSource(texts(20), breaks_at=11), delivery)
    assert len(delivery.kept) == 10
    assert (await run(tmp_path, ListSource(texts(20)), delivery)).kept == 20


async def test_a_deletion_removes_its_text_wherever_that_is_and_what_comes_behind_it_stays_away(tmp_path):
    one, two, three, late = (SourceText(f"t:{n}", f"text {n}") for n in range(4))
    records = [one, two, SourceDeletion(one.id), three, SourceDeletion(three.id), SourceDeletion(late.id), late]
    for batch_rows in (1, 2, 3, 100):
        delivery = FakeDelivery()
        limits = IngestLimits(batch_rows=batch_rows)
        totals = await run(tmp_path / str(batch_rows), ListSource(records), delivery, limits)
        assert list(delivery.kept) == [two.id]
        assert totals.read == 7 == totals.kept + totals.deleted


async def test_a_revision_takes_the_place_of_what_came_before(tmp_path):
    records = [SourceText("t:1", "first"), SourceText("t:1", "second", is_revision=True), SourceText("t:2", "other")]
    for batch_rows in (1, 100):
        delivery = FakeDelivery()
        totals = await run(
            tmp_path / str(batch_rows), ListSource(records), delivery, IngestLimits(batch_rows=batch_rows)
        )
        assert {id_: text.text for id_, text in delivery.kept.items()} == {"t:1": "second", "t:2": "other"}
        assert totals.rejected == 0


async def test_a_deletion_waits_for_its_text_that_is_still_under_way(tmp_path):
    delivery = Blocked()
    records = [SourceText("t:1", "text"), SourceDeletion("t:1"), SourceText("t:2", "other")]
    running = asyncio.create_task(run(tmp_path, ListSource(records), delivery, IngestLimits(batch_rows=1)))
    for _ in range(100):
        await asyncio.sleep(0)
    assert delivery.deleted == []
    delivery.opened.set()
    await running
    assert list(delivery.kept) == ["t:2"]


async def test_a_limit_holds_for_all_runs_together(tmp_path):
    source, delivery = ListSource(texts(20)), FakeDelivery()
    assert (await run(tmp_path, source, delivery, IngestLimits(batch_rows=4, records=6))).read == 6
    assert (await run(tmp_path, source, delivery, IngestLimits(batch_rows=4, records=6))).read == 6
    assert (await run(tmp_path, source, delivery, IngestLimits(batch_rows=4, records=15))).read == 15
    assert len(delivery.kept) == 15


class Blocked(FakeDelivery):
    """Answers nothing before it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = asyncio.Event()

    async def send(self, texts: Sequence[SourceText]) -> list[str | None]:
        """Wait, then keep."""
        self.most_under_way += 1
        await self.opened.wait()
        return await super().send(texts)


async def test_it_reads_no_further_ahead_than_some_batches_and_keeps_no_more_than_so_many_under_way(tmp_path):
    source, delivery = ListSource(texts(200)), Blocked()
    running = asyncio.create_task(run(tmp_path, source, delivery, IngestLimits(batch_rows=4, in_flight=3)))
    for _ in range(200):
        await asyncio.sleep(0)
    assert delivery.most_under_way == 3
    assert source.was_read <= 4 * 6 + 1
    delivery.opened.set()
    assert (await running).kept == 200


async def test_a_text_of_a_slow_source_waits_for_no_full_batch(tmp_path):
    class Slow(ListSource):
        async def arrivals(self, position):
            async for arrival in super().arrivals(position):
                yield arrival
                if arrival.place == 2:
                    await hold.wait()

    hold, delivery = asyncio.Event(), FakeDelivery()
    running = asyncio.create_task(run(tmp_path, Slow(texts(3)), delivery, IngestLimits(batch_rows=100, linger_s=0.01)))
    for _ in range(1000):
        await asyncio.sleep(0.005)
        if len(delivery.kept) == 2:
            hold.set()
            break
    assert (await running).kept == 3


async def test_the_time_of_all_runs_is_added_up(tmp_path):
    ticks_s = iter(range(0, 1000, 10))
    for count, seconds in ((4, 20), (8, 40)):  # a look at the clock at the beginning, behind a batch, and at the end
        with open_checkpoint(tmp_path, "t", {}) as checkpoint:
            ingest = Ingest(ListSource(texts(count)), FakeDelivery(), checkpoint, clock_s=lambda: float(next(ticks_s)))
            assert (await ingest.run()).seconds == seconds
