"""Insights over HTTP: what is asked, what is told of mistakes, tags of unchanged answers, marks and keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sentiment.records import DeleteText
from sentiment.settings import Settings
from serve_app.rollout.policy.record import KIND, Entry, Rollout, StartRequest, State
from tests.sample_operations import NOW_MS as RECEIVED_MS
from tests.unit.gateway.fake_parts import FakeParts, client_of
from tests.unit.insight.local_index import LocalIndex
from tests.unit.insight.sample_texts import DAY_MS, FIRST_MS, NOW_MS, said


async def test_a_timeline_has_every_bucket_with_its_texts(client):
    answer = await client.get("/v1/insights/timeline?q=flood&from=2026-03-27&to=2026-04-01&bucket=day")
    told = answer.json()
    assert answer.status_code == 200
    assert (told["query"], told["total"], told["bucket"], told["tz"]) == ("flood", 3, "day", "UTC")
    assert [point["count"] for point in told["points"]] == [1, 1, 0, 0, 1]
    assert [point["sentiment"] for point in told["points"]] == [-0.8, 0.9, None, None, -0.6]
    assert told["sentiment"] == pytest.approx((-0.8 + 0.9 - 0.6) / 3, abs=1e-6)
    assert told["points"][0]["labels"] == {"negative": 1}
    assert told["points"][4]["versions"] == {"4": {"count": 1, "sentiment": -0.6}}
    assert (told["from_ms"], told["to_ms"]) == (FIRST_MS, FIRST_MS + 5 * DAY_MS)
    assert not any(point["partial"] for point in told["points"])
    assert told["marks"] == []


async def test_without_ends_the_span_is_that_of_the_texts_found_in_whole_buckets(client):
    told = (await client.get("/v1/insights/timeline?q=flood&bucket=day")).json()
    assert (told["from_ms"], told["to_ms"]) == (FIRST_MS, FIRST_MS + 5 * DAY_MS)
    told = (await client.get("/v1/insights/timeline?q=tea&bucket=day")).json()
    assert [(point["from_ms"], point["count"]) for point in told["points"]] == [(FIRST_MS + 2 * DAY_MS, 1)]
    told = (await client.get("/v1/insights/timeline?q=flood&bucket=day&from=2026-04-09")).json()
    assert [point["count"] for point in told["points"]] == [0], "all texts are from before"


@pytest.mark.parametrize("bucket", ["hour", "day", "month"])
async def test_texts_of_a_far_past_and_future_do_not_stretch_a_span_without_ends(client, parts, bucket):
    parts.store.apply([said("old", "flood", 0.1, -(10**14)), said("new", "flood", 0.1, 10**14)])
    answer = await client.get(f"/v1/insights/timeline?q=flood&bucket={bucket}")
    assert answer.status_code == 200
    told = answer.json()
    assert told["total"] == 3
    assert told["to_ms"] < NOW_MS + 32 * DAY_MS


async def test_where_there_are_no_texts_there_is_a_week_of_nothing():
    parts = FakeParts()
    async with client_of(parts, index=LocalIndex(parts.store, lambda: NOW_MS)) as client:
        told = (await client.get("/v1/insights/timeline?bucket=day")).json()
    assert (told["total"], told["sentiment"]) == (0, None)
    assert len(told["points"]) in (7, 8)


async def test_a_day_is_the_zones_own(client):
    told = (await client.get("/v1/insights/timeline?from=2026-03-28&to=2026-03-31&bucket=day&tz=Europe/Berlin")).json()
    hours = [(point["to_ms"] - point["from_ms"]) / 3_600_000 for point in told["points"]]
    assert hours == [24, 23, 24], "clocks are set forward on 29 March"
    assert told["tz"] == "Europe/Berlin"
    assert told["from_ms"] == FIRST_MS + DAY_MS - 3_600_000


@pytest.mark.parametrize(
    "written",
    [
        "2026-03-28",
        "2026-03-28T00:00:00Z",
        "2026-03-28T00:00",
        "2026-03-28T01:00%2B01:00",
        "2026-03-28T01:00+01:00",
        str(FIRST_MS + DAY_MS),
    ],
)
async def test_a_time_may_be_written_in_many_ways(client, written):
    told = (await client.get(f"/v1/insights/timeline?from={written}&to=2026-04-01&bucket=day")).json()
    assert told["from_ms"] == FIRST_MS + DAY_MS


async def test_a_point_that_the_present_cuts_is_partial(client):
    now = datetime.fromtimestamp(NOW_MS / 1000, UTC) + timedelta(days=2)
    told = (await client.get(f"/v1/insights/timeline?from=2026-03-27&to={now:%Y-%m-%d}&bucket=day")).json()
    assert [point["partial"] for point in told["points"]] == [False] * 10 + [True] * 2


async def test_searches_are_compared_bucket_by_bucket(client):
    told = (await client.get("/v1/insights/compare?q=flood&q=tea&bucket=day")).json()
    assert [series["query"] for series in told["series"]] == ["flood", "tea"]
    assert [series["total"] for series in told["series"]] == [3, 1]
    assert told["share"] == [0.75, 0.25]
    edges = [[point["from_ms"] for point in series["points"]] for series in told["series"]]
    assert edges[0] == edges[1]
    assert told["commit"] == told["series"][0]["commit"]


async def test_the_texts_found_come_by_pages(client):
    first = (await client.get("/v1/insights/top?q=flood&limit=2")).json()
    assert [text["id"] for text in first["texts"]] == ["d", "b"]
    assert first["texts"][0]["text"] == "the flood again"
    second = (await client.get(f"/v1/insights/top?q=flood&limit=2&after={first['next']}")).json()
    assert ([text["id"] for text in second["texts"]], second["next"]) == (["a"], None)
    angry = (await client.get("/v1/insights/top?q=flood&order=negative&limit=1")).json()
    assert [text["id"] for text in angry["texts"]] == ["a"]
    within = (await client.get("/v1/insights/top?from=2026-03-28&to=2026-03-29")).json()
    assert [text["id"] for text in within["texts"]] == ["b"]


async def test_a_deleted_text_is_in_no_count_and_in_no_list(client, parts):
    parts.store.apply([DeleteText("a", RECEIVED_MS)])
    assert (await client.get("/v1/insights/timeline?q=flood&bucket=day")).json()["total"] == 2
    assert [text["id"] for text in (await client.get("/v1/insights/top?q=flood")).json()["texts"]] == ["d", "b"]


async def test_a_text_that_the_store_has_lost_meanwhile_is_left_out(client, parts, index):
    await client.get("/v1/insights/top")
    index.indexer.tick = lambda: None
    parts.store.apply([DeleteText("d", RECEIVED_MS)])
    assert [text["id"] for text in (await client.get("/v1/insights/top?q=flood")).json()["texts"]] == ["b", "a"]


async def test_an_author_is_found_by_the_name_that_was_sent(client):
    told = (await client.get("/v1/insights/top?q=author:ann")).json()
    assert [text["id"] for text in told["texts"]] == ["b"]


async def test_related_terms_are_those_that_are_more_frequent_than_elsewhere(client, parts):
    parts.store.apply([said(f"x{n}", "storm with hail", -0.5, FIRST_MS + n) for n in range(30)])
    parts.store.apply([said(f"y{n}", "a quiet day", 0.5, FIRST_MS + n) for n in range(60)])
    told = (await client.get("/v1/insights/related?q=storm&limit=1")).json()
    [term] = told["terms"]
    assert (term["term"], term["kind"], term["count"], term["sentiment"]) in (
        ("hail", "word", 30, -0.5),
        ("with", "word", 30, -0.5),
    )
    assert term["lift"] == pytest.approx(94 / 30, abs=1e-6)


@pytest.mark.parametrize("year", [1, 1700, 5000, 9998])
async def test_a_text_of_another_age_does_not_spoil_a_timeline_without_ends(client, parts, year):
    at_ms = int(datetime(year, 6, 1, tzinfo=UTC).timestamp() * 1000)
    parts.store.apply([said("odd", "flood", 0.0, at_ms)])
    told = await client.get("/v1/insights/timeline?q=flood")
    assert told.status_code == 200, told.text
    assert told.json()["total"] == 3


async def test_the_texts_of_a_search_are_counted_by_a_field(client, parts):
    parts.store.apply(
        [said(f"x{n}", "storm", -0.5, FIRST_MS + n, topics=("hail",), author_key="a" * 32) for n in range(3)]
    )
    told = (await client.get("/v1/insights/facets?q=storm&by=topic")).json()
    assert (told["query"], told["by"]) == ("storm", "topic")
    assert told["facets"] == [{"value": "hail", "count": 3, "sentiment": -0.5}]
    authors = (await client.get("/v1/insights/facets?by=author&limit=1")).json()["facets"]
    assert [(each["value"], each["count"]) for each in authors] == [("a" * 32, 3)]


async def test_a_word_is_completed(client):
    told = (await client.get("/v1/insights/complete?q=tea%20and%20flo")).json()
    assert told["terms"] == [{"term": "flood", "kind": "word", "count": 3}]
    told = (await client.get("/v1/insights/complete?q=%23cli")).json()
    assert told["terms"] == [{"term": "climate", "kind": "topic", "count": 2}]


@pytest.mark.parametrize("route", ["timeline", "compare", "related", "facets", "top", "complete"])
async def test_an_answer_that_has_not_changed_is_not_sent_again(client, parts, route):
    address = f"/v1/insights/{route}?q=flood"
    first = await client.get(address)
    assert first.json()["commit"] in first.headers["ETag"]
    again = await client.get(address, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    several = await client.get(address, headers={"If-None-Match": f'"other", W/{first.headers["ETag"]}'})
    assert several.status_code == 304
    parts.store.apply([said("new", "flood", 0.5, FIRST_MS)])
    assert (await client.get(address, headers={"If-None-Match": first.headers["ETag"]})).status_code == 200


async def test_the_index_is_asked_once_for_equal_questions_of_one_commit(client, index, monkeypatch):
    looked = []
    timeline = index.index.timeline
    monkeypatch.setattr(index.index, "timeline", lambda *asked: looked.append(asked) or timeline(*asked))
    answers = [(await client.get("/v1/insights/timeline?q=flood&bucket=day")).json() for _ in range(3)]
    assert len(looked) == 1
    assert answers[0] == answers[1] == answers[2]


async def test_a_rollouts_moves_are_marked(client, parts):
    rollout = Rollout.begin(StartRequest(version=4), Settings(), 3, FIRST_MS, "asked for")
    for hours, stage in ((30, 2), (40, 3), (400, 4)):
        entry = Entry(at_ms=FIRST_MS + hours * 3_600_000, state=State.CANARY, stage=stage, reason="for the test")
        rollout = rollout.with_decision(entry)
    parts.store.put_document(KIND, "sentiment", rollout.to_body())
    told = (await client.get("/v1/insights/timeline?from=2026-03-27&to=2026-04-01&bucket=day")).json()
    assert [(mark["at_ms"], mark["from"], mark["to"], mark["share"]) for mark in told["marks"]] == [
        (FIRST_MS + 30 * 3_600_000, 3, 4, 0.01),
        (FIRST_MS + 40 * 3_600_000, 3, 4, 0.1),
    ]
    compared = (await client.get("/v1/insights/compare?q=a&q=b&from=2026-03-27&to=2026-04-01")).json()
    assert [len(series["marks"]) for series in compared["series"]] == [2, 2]


@pytest.mark.parametrize(
    ("address", "field", "says"),
    [
        ("timeline?q=(flood", "q", "at character 7: the search ends here, but a bracket is open"),
        ("timeline?from=tomorrow", "from", "'tomorrow' is not a time; write a date such as 2026-01-31"),
        ("timeline?from=20260131", "from", "is not a time"),
        ("timeline?to=2026-02-30", "to", "is not a time"),
        ("timeline?from=2026-02-02&to=2026-02-01", "from", "from is not before to"),
        ("timeline?from=2026-02-02&to=2026-02-02", "from", "from is not before to"),
        ("timeline?tz=Mars/Olympus", "tz", "not a time zone; use an IANA name"),
        ("timeline?bucket=year", "bucket", "'hour', 'day', 'week' or 'month'"),
        ("timeline?from=2020-01-01&to=2026-01-01&bucket=hour", "bucket", "use bucket=week"),
        ("timeline?form=2020-01-01", "form", "permitted are from, to, tz, q, bucket"),
        ("timeline?q=a&q=b", "query", "give each one once"),
        ("compare", "q", "is missing"),
        ("compare?" + "&".join(f"q=w{n}" for n in range(6)), "q", "may have 5 entries at most"),
        ("compare?q=a&q=near(", "q", "at character"),
        ("top?order=best", "order", "'newest', 'positive' or 'negative'"),
        ("top?limit=0", "limit", "must be 1 or more"),
        ("top?after=abc", "after", "not a cursor"),
        ("facets?by=mood", "by", "'source', 'language', 'topic' or 'author'"),
        ("related?limit=201", "limit", "must be 200 or less"),
        ("timeline?q=" + "a" * 1001, "q", "1000"),
    ],
)
async def test_a_wrong_parameter_is_named_with_the_remedy(client, address, field, says):
    answer = await client.get(f"/v1/insights/{address}")
    error = answer.json()["error"]
    assert (answer.status_code, error["field"]) == (422, field)
    assert says in error["message"]


async def test_without_an_index_the_routes_say_so(parts):
    async with client_of(parts) as client:
        answer = await client.get("/v1/insights/timeline")
    assert answer.status_code == 404
    assert "start it with UNDERTONE_INSIGHT=1" in answer.json()["error"]["message"]


async def test_an_index_that_is_not_ready_is_a_reason_to_come_back(parts, index):
    index.indexer.tick = lambda: None
    async with client_of(parts, index=index) as client:
        answer = await client.get("/v1/insights/timeline")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert "the insight index is not open" in answer.json()["error"]["message"]


async def test_a_key_needs_the_scope_read(parts, index):
    async with client_of(parts, index=index, host="0.0.0.0") as client:
        for token, status in (("nothing", 403), ("reader", 200), ("unknown", 401)):
            answer = await client.get("/v1/insights/timeline", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == status
