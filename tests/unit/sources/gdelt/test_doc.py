"""DOC 2.0: spans halved until all of one is shown, answers that are no JSON, and where a run that was ended goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx
import pytest

from sentiment.errors import InvalidInput, Unavailable
from sentiment.sources import Arrival, Passed, Position, Rejected, SourceText
from sentiment.sources.gdelt.columns import read_moment
from sentiment.sources.gdelt.doc_source import LONGEST_SPAN_MS, DocSource
from sentiment.sources.gdelt.quarters import QUARTER_MS, gaps_of

BEGIN_MS = 1_772_366_400_000
NOW_MS = BEGIN_MS + 100 * 24 * 3_600_000
HOUR_MS = 3_600_000


def article(number: int, seen_ms: int, **other: object) -> dict[str, object]:
    seen = datetime.fromtimestamp(seen_ms / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    told = {"url": f"https://a.example/{number}", "title": f"Title {number}", "seendate": seen, "domain": "a.example"}
    return {**told, "url_mobile": "", "socialimage": "", "language": "English", "sourcecountry": "France", **other}


@dataclass
class FakeDoc:
    """The service: answers as it is described, at most 250 articles. `failures` come first."""

    articles: list[tuple[int, dict[str, object]]] = field(default_factory=list)
    failures: list[httpx.Response] = field(default_factory=list)
    asked: list[tuple[float, int, int]] = field(default_factory=list)

    def add(self, count: int, seen_ms: Callable[[int], int]) -> None:
        self.articles += [(seen_ms(number), article(number, seen_ms(number))) for number in range(count)]

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self._respond))

    def _respond(self, request: httpx.Request) -> httpx.Response:
        asked = request.url.params
        begin_ms, end_ms = (int(read_moment(asked[name])) for name in ("startdatetime", "enddatetime"))
        self.asked.append((asyncio.get_running_loop().time(), begin_ms, end_ms))
        assert (asked["mode"], asked["format"], asked["query"]) == ("artlist", "json", "flood")
        assert end_ms - begin_ms <= LONGEST_SPAN_MS
        if self.failures:
            return self.failures.pop(0)
        found = [each for seen_ms, each in self.articles if begin_ms <= seen_ms <= end_ms]
        found.sort(key=lambda each: str(each["seendate"]))
        return httpx.Response(200, json={"articles": found[:250]} if found else {})


@pytest.fixture
def doc() -> FakeDoc:
    return FakeDoc()


async def all_of(
    doc: FakeDoc, to_ms: int | None, position: Position | None = None, now_ms: int = NOW_MS
) -> list[Arrival]:
    loop = asyncio.get_running_loop()
    address = "http://doc.example/api"
    source = DocSource("f", "flood", address, BEGIN_MS, to_ms, doc.client, lambda: now_ms, clock_s=loop.time)
    return [arrival async for arrival in source.arrivals(position)]


def titles(arrivals: list[Arrival]) -> list[str]:
    return [arrival.record.text for arrival in arrivals if isinstance(arrival.record, SourceText)]


async def test_an_article_is_a_text_with_time_and_site(doc):
    doc.add(1, lambda _: BEGIN_MS + HOUR_MS)
    record = (await all_of(doc, BEGIN_MS + 2 * HOUR_MS))[0].record
    assert record == SourceText(record.id, "Title 0", BEGIN_MS + HOUR_MS, "a.example")
    assert record.id.startswith("f:")


async def test_a_span_with_more_than_is_shown_is_halved_until_all_are_shown_each_once(doc):
    doc.add(1000, lambda number: BEGIN_MS + number * 60_000 // 2 // 1000 * 1000)
    arrivals = await all_of(doc, BEGIN_MS + 10 * HOUR_MS)
    assert sorted(titles(arrivals)) == sorted(f"Title {number}" for number in range(1000))
    assert gaps_of(arrivals[-1].position) == {}


async def test_equal_times_at_the_border_of_two_spans_are_all_kept(doc):
    doc.add(400, lambda number: BEGIN_MS + (5 * HOUR_MS if 100 < number < 300 else number * 60_000))
    arrivals = await all_of(doc, BEGIN_MS + 10 * HOUR_MS)
    assert sorted(titles(arrivals)) == sorted(f"Title {number}" for number in range(400))


async def test_a_quarter_hour_with_more_than_is_shown_is_a_gap(doc):
    doc.add(300, lambda _: BEGIN_MS + 60_000)
    arrivals = await all_of(doc, BEGIN_MS + QUARTER_MS)
    assert len(titles(arrivals)) == 250
    assert gaps_of(arrivals[-1].position) == {
        "20260301120000-20260301121500": "has 250 articles or more: the service shows no more than these"
    }


async def test_a_long_span_is_asked_for_in_parts_of_three_months_five_seconds_apart(doc):
    doc.add(3, lambda number: BEGIN_MS + number * 45 * 24 * HOUR_MS)
    assert len(titles(await all_of(doc, None))) == 3
    assert [(begin_ms, end_ms) for _, begin_ms, end_ms in doc.asked] == [
        (BEGIN_MS, BEGIN_MS + LONGEST_SPAN_MS),
        (BEGIN_MS + LONGEST_SPAN_MS, NOW_MS),
    ]
    assert doc.asked[1][0] - doc.asked[0][0] >= 5


async def test_from_any_position_the_rest_comes_and_nothing_new_is_lost(doc):
    doc.add(20, lambda number: BEGIN_MS + number * 60_000)
    whole = await all_of(doc, BEGIN_MS + HOUR_MS)
    for number, arrival in enumerate(whole, 1):
        assert titles(await all_of(doc, BEGIN_MS + HOUR_MS, arrival.position)) == titles(whole[number:])


async def test_a_later_run_goes_on_and_finds_what_was_added_late(doc):
    doc.add(2, lambda number: BEGIN_MS + number * 60_000)
    first = await all_of(doc, None, now_ms=BEGIN_MS + HOUR_MS)
    doc.articles += [
        (BEGIN_MS + 120_000, article(7, BEGIN_MS + 120_000)),
        (BEGIN_MS + 2 * HOUR_MS, article(8, BEGIN_MS + 2 * HOUR_MS)),
    ]
    assert titles(await all_of(doc, None, first[-1].position, BEGIN_MS + 3 * HOUR_MS)) == ["Title 7", "Title 8"]


async def test_a_finished_span_is_not_asked_for_again(doc):
    first = await all_of(doc, BEGIN_MS + HOUR_MS)
    doc.asked.clear()
    assert await all_of(doc, BEGIN_MS + HOUR_MS, first[-1].position) == []
    assert doc.asked == []


@pytest.mark.parametrize(
    "failure",
    [
        httpx.Response(429, text="Please limit requests to one every 5 seconds", headers={"Retry-After": "9"}),
        httpx.Response(200, text="Please limit requests to one every 5 seconds"),
        httpx.Response(200, text='{"articles": [{"url": "https://a.exam'),
        httpx.Response(502, text="<html>Bad gateway</html>"),
        httpx.Response(200, text=""),
    ],
)
async def test_a_service_that_is_busy_or_broken_is_asked_again(doc, failure, caplog):
    doc.add(1, lambda _: BEGIN_MS)
    doc.failures = [failure, failure]
    assert titles(await all_of(doc, BEGIN_MS + HOUR_MS)) == ["Title 0"]
    assert caplog.text.count("http://doc.example/api answers") == 2


async def test_a_query_that_is_not_taken_is_told_in_the_services_words(doc):
    doc.failures = [httpx.Response(200, text="Your query was too short or too long.\n")] * 4
    with pytest.raises(InvalidInput, match=r"refuses the query 'flood', with 'Your query was too short"):
        await all_of(doc, BEGIN_MS + HOUR_MS)


async def test_a_service_that_stays_busy_is_told_in_its_words(doc):
    doc.failures = [httpx.Response(429, text="Please limit requests to one every 5 seconds")] * 4
    with pytest.raises(Unavailable, match="answers 429: 'Please limit requests"):
        await all_of(doc, BEGIN_MS + HOUR_MS)


async def test_escapes_that_json_does_not_know_are_read(doc):
    text = json.dumps({"articles": [article(1, BEGIN_MS, title="C:@new, \u00e9 and a@@b")]}).replace("@", "\\")
    text = text.replace("\\new", "\\Wew")
    doc.failures = [httpx.Response(200, text=text)]
    assert titles(await all_of(doc, BEGIN_MS + HOUR_MS)) == ["C:\\Wew, \u00e9 and a\\b"]


async def test_of_json_that_stays_broken_the_whole_articles_are_kept(doc):
    text = json.dumps({"articles": [article(number, BEGIN_MS) for number in range(3)]})
    doc.failures = [httpx.Response(200, text=text[:-60])] * 4
    arrivals = await all_of(doc, BEGIN_MS + HOUR_MS)
    assert titles(arrivals) == ["Title 0", "Title 1"]
    assert [each.record.reason for each in arrivals if isinstance(each.record, Rejected)] == ["is broken JSON"]


async def test_articles_of_wrong_types_are_set_aside(doc):
    odd = [5, article(1, BEGIN_MS, url=None), article(2, BEGIN_MS, title=7), article(3, BEGIN_MS, seendate="soon")]
    doc.failures = [httpx.Response(200, json={"articles": odd})]
    records = [arrival.record for arrival in await all_of(doc, BEGIN_MS + HOUR_MS)]
    reasons = [record.reason for record in records if isinstance(record, Rejected)]
    assert reasons == ["has no url", "has the seendate 'soon', which is not a time", "is broken JSON"]
    assert Passed(1) in records
