"""GDELT as a source: what a quarter-hour gives, what is missing, and where a run that was ended goes on."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress

import pytest

from sentiment.errors import InvalidInput, Unavailable
from sentiment.ingest import Ingest, IngestLimits, open_checkpoint
from sentiment.sources import Arrival, Passed, Position, Rejected, SourceText
from sentiment.sources.gdelt.quarters import QUARTER_MS, NewsFeed, gaps_of
from sentiment.sources.gdelt.source import GdeltSource, GdeltSpan
from tests.gdelt_rows import event_row, gkg_row, mention_row
from tests.gdelt_server import BASE, GdeltFiles, Served, zipped
from tests.unit.ingest.fake_delivery import FakeDelivery

NOON_MS = 1_772_366_400_000
NOON, QUARTER, HALF = "20260301120000", "20260301121500", "20260301123000"
ONCE = GdeltSpan(from_ms=NOON_MS, is_once=True)


@pytest.fixture
def files() -> GdeltFiles:
    files = GdeltFiles()
    for stamp in (NOON, QUARTER, HALF):
        files.add(stamp, *(gkg_row(number, f"Title {number} of {stamp}", stamp) for number in range(3)))
    return files


def source_of(files: GdeltFiles, span: GdeltSpan = ONCE, now_ms: int = NOON_MS + 3_600_000) -> GdeltSource:
    return GdeltSource("news", BASE, span, files.client, lambda: now_ms)


async def all_of(source: GdeltSource, position: Position | None = None) -> list[Arrival]:
    return [arrival async for arrival in source.arrivals(position)]


def titles(arrivals: list[Arrival]) -> list[str]:
    return [arrival.record.text for arrival in arrivals if isinstance(arrival.record, SourceText)]


async def test_an_article_is_a_text_with_its_time_its_site_and_what_it_is_about(files):
    first = (await all_of(source_of(files)))[0].record
    assert first == SourceText(
        f"news:{NOON}-0",
        f"Title 0 of {NOON}",
        NOON_MS,
        "herald.example",
        ("natural disaster flood", "water", "tom hale", "rosa quint", "river board", "germany", "paris", "france"),
    )


async def test_quarter_hours_come_in_their_order_and_the_newest_is_the_last(files):
    assert titles(await all_of(source_of(files))) == [
        f"Title {number} of {stamp}" for stamp in (NOON, QUARTER, HALF) for number in range(3)
    ]


async def test_without_a_beginning_the_newest_quarter_hour_is_read(files):
    assert titles(await all_of(source_of(files, GdeltSpan(is_once=True)))) == [f"Title {n} of {HALF}" for n in range(3)]


async def test_a_span_ends_before_its_end(files):
    span = GdeltSpan(from_ms=NOON_MS + 1, to_ms=NOON_MS + 2 * QUARTER_MS)
    assert titles(await all_of(source_of(files, span))) == [f"Title {number} of {QUARTER}" for number in range(3)]


async def test_rows_without_a_title_are_passed_and_broken_ones_are_set_aside(files):
    files.add(HALF, gkg_row(0, None, HALF), "no\tarticle", gkg_row(2, " ", HALF), gkg_row(3, "Good", HALF))
    arrivals = await all_of(source_of(files, GdeltSpan(is_once=True)))
    assert [arrival.record for arrival in arrivals[:3]] == [
        Passed(1),
        Rejected("has 2 columns, not 27", {"file": f"{HALF}.gkg.csv.zip", "line": "no\tarticle"}),
        Passed(1),
    ]
    assert titles(arrivals) == ["Good"]


async def test_both_feeds_come_by_time_and_the_slower_one_is_not_missed(files):
    files.add(NOON, gkg_row(0, "P\u0159elo\u017eeno", NOON), feed=".translation")
    span = GdeltSpan((NewsFeed.ENGLISH, NewsFeed.TRANSLATED), NOON_MS, is_once=True)
    first = await all_of(source_of(files, span))
    assert titles(first)[3] == "P\u0159elo\u017eeno"
    assert gaps_of(first[-1].position) == {}
    files.add(QUARTER, gkg_row(0, "Dal\u0161\u00ed", QUARTER), feed=".translation")
    assert titles(await all_of(source_of(files, span), first[-1].position)) == ["Dal\u0161\u00ed"]


async def test_a_missing_quarter_hour_is_a_gap_and_is_read_once_it_is_there(files):
    held = files.files.pop(f"{QUARTER}.gkg.csv.zip")
    first = await all_of(source_of(files))
    assert titles(first) == [f"Title {number} of {stamp}" for stamp in (NOON, HALF) for number in range(3)]
    assert gaps_of(first[-1].position) == {f"{QUARTER}.gkg.csv.zip": "is not there (404)"}
    again = await all_of(source_of(files), first[-1].position)
    assert titles(again) == []
    assert gaps_of(again[-1].position) == gaps_of(first[-1].position)
    files.files[f"{QUARTER}.gkg.csv.zip"] = held
    filled = await all_of(source_of(files), again[-1].position)
    assert titles(filled) == [f"Title {number} of {QUARTER}" for number in range(3)]
    assert gaps_of(filled[-1].position) == {}


async def test_from_any_position_exactly_the_rest_comes(files):
    files.files.pop(f"{NOON}.gkg.csv.zip")
    files.add("20260301124500", gkg_row(9, "Last", "20260301124500"))
    whole = await all_of(source_of(files))
    for number, arrival in enumerate(whole, 1):
        rest = await all_of(source_of(files), arrival.position)
        assert titles(rest) == titles(whole[number:])


async def test_a_run_that_is_killed_at_any_batch_keeps_every_text_once(files, tmp_path):
    kept, totals, runs = FakeDelivery(), None, 0
    while totals is None:
        runs += 1
        delivery = FakeDelivery(fails_after=1, kept=kept.kept)
        with open_checkpoint(tmp_path, "news", {}) as checkpoint, suppress(Unavailable):
            limits = IngestLimits(batch_rows=2, in_flight=1)
            totals = await Ingest(source_of(files), delivery, checkpoint, limits).run()
    assert runs > 2
    assert [text.text for text in kept.kept.values()] == [
        f"Title {n} of {stamp}" for stamp in (NOON, QUARTER, HALF) for n in range(3)
    ]
    assert (totals.read, totals.kept, totals.repeated) == (9, 9, 0)


async def test_without_an_end_new_quarter_hours_are_waited_for_through_failures_of_the_server(files):
    arrivals = source_of(files, GdeltSpan()).arrivals(None)
    seen = []
    async with aclosing(arrivals):
        async for arrival in arrivals:
            seen.append(arrival)
            if len(seen) == 4:
                files.failures["lastupdate.txt"] = [Served(b"", 503)] * 7
                files.add("20260301124500", gkg_row(0, "New", "20260301124500"))
                files.failures["20260301124500.gkg.csv.zip"] = [Served(b"", 500)] * 6
            if titles(seen)[-1] == "New":
                break
            await asyncio.sleep(0)
    assert not any(files.failures.values())


async def test_the_events_that_an_article_tells_of_are_topics_of_it(files, caplog):
    files.add(NOON, gkg_row(1, "With an event", NOON), gkg_row(2, "Without", NOON))
    files.files[f"{NOON}.export.CSV.zip"] = Served(zipped(event_row() + "\nbroken\n", "a.export.CSV"))
    files.files[f"{NOON}.mentions.CSV.zip"] = Served(zipped("broken\n" + mention_row() + "\n", "a.mentions.CSV"))
    files.add(QUARTER, gkg_row(3, "Later", QUARTER))
    span = GdeltSpan(from_ms=NOON_MS, has_events=True, is_once=True)
    texts = [each.record for each in await all_of(source_of(files, span)) if isinstance(each.record, SourceText)]
    assert [text.topics[0] for text in texts[:2]] == ["protest", "natural disaster flood"]
    assert [text.text for text in texts] == ["With an event", "Without", "Later"]
    assert f"{QUARTER}.gkg.csv.zip is read without events: is not there" in caplog.text


async def test_a_time_ahead_of_this_machines_is_left_out_and_counted(files):
    record = (await all_of(source_of(files, now_ms=NOON_MS - 3_600_000)))[0].record
    assert (record.created_at_ms, record.is_corrected) == (None, True)


async def test_another_sources_position_is_refused(files):
    with pytest.raises(InvalidInput, match="not a feed of GDELT: give another --name"):
        await all_of(source_of(files), {"row": 5, "digest": "a"})
