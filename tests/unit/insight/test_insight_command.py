"""`undertone insight` over the API's own routes."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from rich.console import Console
from typer.testing import CliRunner

import cli.online.insight
from cli.main import app
from cli.online.insight_view import sparkline
from sentiment.client.http import UndertoneClient
from tests.unit.gateway.fake_parts import FakeParts, client_of
from tests.unit.insight.local_index import LocalIndex
from tests.unit.insight.sample_texts import DAY_MS, FIRST_MS, NOW_MS, said


class OverTheRoutes(httpx.BaseTransport):
    """Sends what a client without an event loop asks through the application."""

    def __init__(self, parts: FakeParts) -> None:
        self.parts = parts
        self.asked: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        return asyncio.run(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        async with client_of(self.parts, index=LocalIndex(self.parts.store, lambda: NOW_MS)) as client:
            answer = await client.request(request.method, request.url.raw_path.decode())
        return httpx.Response(answer.status_code, json=answer.json())


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> Iterator[OverTheRoutes]:
    parts = FakeParts()
    parts.store.apply(
        [
            said("a", "the flood is awful", -0.8, FIRST_MS + 1000),
            said("b", "a flood of love", 0.9, FIRST_MS + DAY_MS),
            said("c", "=tea, nothing else", 0.1, FIRST_MS + 3 * DAY_MS),
        ]
    )
    transport = OverTheRoutes(parts)

    def connect(url: str | None, api_key: str | None, attempts: int) -> UndertoneClient:
        return UndertoneClient("http://127.0.0.1:8000", api_key, attempts=attempts, transport=transport)

    monkeypatch.setattr(cli.online.insight, "connect", connect)
    monkeypatch.setattr(cli.online.insight, "console", Console(width=100, soft_wrap=True))
    return transport


def run(*arguments: str, exit_code: int = 0) -> str:
    done = CliRunner().invoke(app, ["insight", *arguments])
    assert done.exit_code == exit_code, done.output
    return done.output


def parsed(text: str) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_timeline_is_drawn_and_listed(routes):
    shown = run("timeline", "flood", "--from", "2026-03-27", "--to", "2026-03-31", "--bucket", "day")
    assert "flood   2 texts   sentiment +0.05" in shown
    assert "2026-03-27 to 2026-03-31, UTC, by day" in shown
    assert "texts      ██▁▁" in shown
    assert "sentiment  ▂█" in shown
    rows = [re.split(r"\s{2,}", line.strip()) for line in shown.splitlines() if line.startswith("2026-03-2")][1:]
    assert [row[:3] for row in rows] == [
        ["2026-03-27", "1", "-0.80"],
        ["2026-03-28", "1", "+0.90"],
        ["2026-03-29", "0", "-"],
    ]


def test_points_that_are_cut_bear_a_star(routes):
    shown = run("timeline", "--from", "2026-03-27T12:00", "--to", "2026-03-29", "--bucket", "day")
    assert "2026-03-27 12:00*" in shown
    assert "* cut by" in shown


def test_a_long_timeline_shows_its_last_points(routes):
    shown = run("timeline", "--from", "2025-10-01", "--to", "2026-03-31", "--bucket", "day")
    assert "The last 3 with texts of 181 points; --csv prints all of them." in shown
    assert len([line for line in shown.splitlines() if re.match(r"2026-03-\d\d  ", line)]) == 3
    assert max(map(len, shown.splitlines())) <= 100


def test_json_is_the_apis_own_answer(routes):
    told = json.loads(run("timeline", "flood", "--bucket", "day", "--json"))
    assert (told["query"], told["total"], len(told["points"])) == ("flood", 2, 2)


def test_csv_has_a_row_a_point(routes):
    rows = parsed(run("timeline", "--bucket", "day", "--tz", "Europe/Berlin", "--csv"))
    assert -1 <= float(rows[0].pop("low")) < -0.8 < float(rows[0].pop("high")) <= 1
    assert rows[0] == {
        "query": "",
        "from": "2026-03-27T00:00:00+01:00",
        "to": "2026-03-28T00:00:00+01:00",
        "count": "1",
        "sentiment": "-0.8",
        "negative": "1",
        "neutral": "0",
        "positive": "0",
        "partial": "0",
    }
    assert rows[2]["from"] == "2026-03-29T00:00:00+01:00"
    assert rows[2]["to"] == "2026-03-30T00:00:00+02:00"


def test_searches_are_compared(routes):
    shown = run("compare", "flood", "tea", "--bucket", "day")
    rows = [re.split(r"\s{2,}", line.strip()) for line in shown.splitlines()]
    assert ["flood", "2", "66.7%", "+0.05"] in [row[:4] for row in rows]
    assert ["tea", "1", "33.3%", "+0.10"] in [row[:4] for row in rows]
    assert {row["query"] for row in parsed(run("compare", "flood", "tea", "--csv"))} == {"flood", "tea"}


def test_the_texts_of_a_search_are_listed_over_pages(routes):
    routes.parts.store.apply([said(f"t{n}", f"storm {n}", 0.0, FIRST_MS + n) for n in range(250)])
    assert "-0.80" in run("top", "flood", "--order", "negative", "--limit", "1")
    told = json.loads(run("top", "storm", "--limit", "230", "--json"))
    assert [text["id"] for text in told["texts"]] == [f"t{n}" for n in range(249, 19, -1)]
    assert told["next"]
    assert run("top", "hail") == "No text was found.\n"


def test_what_a_spreadsheet_would_calculate_is_text(routes):
    [row] = parsed(run("top", "tea", "--csv"))
    assert row["text"] == "'=tea, nothing else"


def test_related_terms_are_listed_or_their_lack_is_told(routes):
    assert "too few texts" in run("related", "flood")
    routes.parts.store.apply([said(f"x{n}", "storm hail", -0.5, FIRST_MS + n) for n in range(20)])
    routes.parts.store.apply([said(f"y{n}", "a quiet day", 0.5, FIRST_MS + n) for n in range(40)])
    assert re.search(r"hail\s+word\s+20\s+3\.1\s+-0\.50", run("related", "storm"))
    assert parsed(run("related", "storm", "--csv"))[0]["term"] == "hail"


def test_a_search_is_counted_by_a_field(routes):
    assert run("facets", "nothing", "--by", "author") == "No text was found that has an author.\n"
    routes.parts.store.apply([said(f"x{n}", "storm", -0.5, FIRST_MS + n, topics=("hail",)) for n in range(20)])
    assert re.search(r"Topic\s+Texts\s+Sentiment\s+hail\s+20\s+-0\.50", run("facets", "storm", "--by", "topic"))
    assert parsed(run("facets", "storm", "--by", "topic", "--csv")) == [
        {"value": "hail", "count": "20", "sentiment": "-0.5"}
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("timeline", "(flood"), "q cannot be read at character 7"),
        (("timeline", "--from", "soon"), "'soon' is not a time"),
        (("timeline", "--tz", "Nowhere/City"), "not a time zone"),
        (("timeline", "--json", "--csv"), "exclude each other"),
        (("compare", *"abcdef"), "5 entries at most"),
    ],
)
def test_a_mistake_is_one_line(routes, arguments, says):
    shown = run(*arguments, exit_code=1)
    assert says in " ".join(shown.split())
    assert "Traceback" not in shown


@pytest.mark.parametrize(
    ("values", "drawn"),
    [([0, 1, None, 7], "▁▂ █"), ([], ""), ([0, 0], "▁▁"), ([-5.0, 99.0], "▁█")],
)
def test_a_sparkline_has_a_character_a_value(values, drawn):
    assert sparkline(values, 0, 7) == drawn


def test_why_says_a_sentence_the_parts_and_the_drivers(routes: OverTheRoutes) -> None:
    spans = "--before", "2026-03-27/2026-03-28", "--after", "2026-03-28/2026-03-31"
    shown = run("why", "flood", *spans)
    assert "The tone of texts about flood went from -0.80 to +0.90; a change this small may be chance" in shown
    assert "inside: the same topics are discussed differently" in shown
    told = json.loads(run("why", "flood", *spans, "--json"))
    assert sum(told["parts"].values()) == pytest.approx(told["change"], abs=1e-9)
    assert parsed(run("why", "flood", *spans, "--csv"))[0]["topic"] == "(no topic)"
    assert "--after is missing" in run("why", "flood", "--before", "2026-03-27/2026-03-28", exit_code=1)
