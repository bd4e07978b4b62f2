"""The tab *Explore*: the axis, the link, the plots and the lists, from what the API answers."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

pytest.importorskip("plotly", reason="the page needs the ui extra")

from gradio_ui.tabs.explore.axis import moment, name_of, place, positions, title_of
from gradio_ui.tabs.explore.demo import load_demo
from gradio_ui.tabs.explore.plots import graph, timelines
from gradio_ui.tabs.explore.searching import Explored, Form, explore, links_between
from gradio_ui.tabs.explore.views import as_csv, completion_list, facet_bars, summary, terms_list, texts_list
from gradio_ui.tabs.explore.why import default_spans, drivers_list, waterfall
from sentiment.errors import InvalidInput, Unavailable

HOUR_MS = 3_600_000
#: In Berlin the clock went back at 01:00 UTC: 02:00 was there twice.
BACK_MS = int(datetime.fromisoformat("2026-10-25T00:00+00:00").timestamp() * 1000)
SCRIPT = "<img src=x onerror=alert(1)>"


def point(from_ms: int, width_ms: int = HOUR_MS, count: int = 4, **other: Any) -> dict[str, Any]:
    tone = {"sentiment": None, "low": None, "high": None} if count == 0 else {"sentiment": 0.5, "low": 0.2, "high": 0.8}
    labels = {"positive": count} if count else {}
    return {
        "from_ms": from_ms,
        "to_ms": from_ms + width_ms,
        "count": count,
        **tone,
        "labels": labels,
        "partial": False,
    } | other


def timeline(
    points: list[dict[str, Any]], query: str = "tea", bucket: str = "hour", tz: str = "Europe/Berlin"
) -> dict[str, Any]:
    total = sum(each["count"] for each in points)
    figures = {"total": total, "sentiment": 0.5, "low": 0.2, "high": 0.8}
    return {"query": query, **figures, "bucket": bucket, "tz": tz, "points": points, "marks": [], "commit": "1"}


def explored(*series: dict[str, Any]) -> Explored:
    return Explored(Form("tea"), list(series), [0.75, 0.25][: len(series)], [], [])


def test_repeated_hours_stay_apart_on_the_axis() -> None:
    hours = timeline([point(BACK_MS + i * HOUR_MS) for i in range(4)])
    shown = positions(hours)
    assert [each - shown[0] for each in shown] == [(shown[1] - shown[0]) * i for i in range(4)]
    assert [name_of(each, hours)[-11:] for each in hours["points"]][:2] == ["02:00 +0200", "02:00 +0100"]
    assert title_of(hours) == "Europe/Berlin (UTC+02:00)"


def test_days_stand_at_their_local_midnight_on_both_sides_of_a_change_of_clocks() -> None:
    starts = [datetime.fromisoformat(f"2026-10-{day}").astimezone(None) for day in (24, 26)]
    assert starts
    midnights = [
        int(datetime.fromisoformat(text).timestamp() * 1000)
        for text in ("2026-10-24T00:00+02:00", "2026-10-26T00:00+01:00")
    ]
    days = timeline([point(each) for each in midnights], bucket="day")
    assert [each.isoformat() for each in positions(days)] == ["2026-10-24T00:00:00", "2026-10-26T00:00:00"]


@pytest.mark.parametrize("bucket", ["hour", "day"])
def test_a_brush_finds_the_moment_that_the_axis_shows(bucket: str) -> None:
    each = timeline([point(BACK_MS), point(BACK_MS + 5 * HOUR_MS)], bucket=bucket)
    at = BACK_MS + 4 * HOUR_MS
    assert moment(str(place(at, each)), each) == at


def test_a_brush_takes_whole_buckets_and_writes_them_as_a_person_would() -> None:
    hours = timeline([point(BACK_MS + i * HOUR_MS) for i in range(4)])
    form = Form("tea").brushed("2026-10-25 03:30", "2026-10-25 02:10", hours)
    assert (form.begin, form.end) == ("2026-10-25T02:00+02:00", "2026-10-25T03:00+01:00")
    day_ms = 24 * HOUR_MS
    days = timeline([point(i * day_ms, day_ms) for i in range(9)], bucket="day", tz="UTC")
    form = Form("tea").brushed("1970-01-03 07:00", "1970-01-05 01:00", days)
    assert (form.begin, form.end) == ("1970-01-03", "1970-01-06")


def test_a_link_brings_the_form_back() -> None:
    form = Form('a & "b c"', ("x or y", "ö"), "2026-03-01", "", "week", "Europe/Berlin", "negative")
    assert Form.of(dict(parse_qsl(form.link))) == form
    assert Form().link == "tab=explore"
    assert Form.of({"q": "a", "bucket": "year", "order": "<b>"}) == Form("a")


def test_a_related_word_is_added_so_that_it_narrows_the_search() -> None:
    assert Form("").adding("rain", "word").query == '"rain"'
    assert Form("flood or fire").adding("rain", "topic").query == '(flood or fire) and topic:"rain"'


def test_no_search_is_asked_for_twice() -> None:
    assert Form(" tea ", ("tea", " ", "coffee")).queries == ("tea", "coffee")


class Api:
    """Answers as the API does, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[tuple[str, str]]]] = []

    def insights(self, question: str, parameters: list[tuple[str, str]]) -> dict[str, Any]:
        self.asked.append((question, parameters))
        queries = [value for name, value in parameters if name == "q"]
        answers: dict[str, dict[str, Any]] = {
            "compare": {
                "series": [timeline([point(0)], query) for query in queries],
                "share": [1 / len(queries)] * len(queries),
            },
            "related": {
                "terms": [
                    {"term": each, "kind": "word", "count": 2, "lift": 2.0, "sentiment": None} for each in ("a", "b")
                ]
            },
            "top": {"texts": [], "next": None},
            "facets": {"facets": [{"value": dict(parameters).get("by"), "count": 3, "sentiment": None}]},
        }
        return answers[question]


def test_a_form_becomes_questions_of_one_span() -> None:
    api = Api()
    found = explore(api, Form("tea", ("coffee",), "2026-03-01", "", "day", "UTC"))  # type: ignore[arg-type]
    assert [each["query"] for each in found.series] == ["tea", "coffee"]
    spans = [[pair for pair in parameters if pair[0] in ("from", "tz")] for _, parameters in api.asked]
    assert spans == [[("from", "2026-03-01"), ("tz", "UTC")]] * 5
    assert [found.sources[0]["value"], found.languages[0]["value"]] == ["source", "language"]
    assert ("bucket", "day") in dict(api.asked)["compare"]
    assert links_between(api, Form("tea"), found.terms) == [("a", "b"), ("b", "a")]  # type: ignore[arg-type]


def test_more_than_five_searches_are_refused() -> None:
    with pytest.raises(InvalidInput, match="Up to 5"):
        explore(Api(), Form("a", ("b", "c", "d", "e", "f")))  # type: ignore[arg-type]


def test_an_empty_bucket_breaks_the_line_and_a_part_of_one_is_dashed() -> None:
    points = [
        point(0),
        point(HOUR_MS),
        point(2 * HOUR_MS, count=0),
        point(3 * HOUR_MS),
        point(4 * HOUR_MS, partial=True),
    ]
    figure = timelines([timeline(points, tz="UTC")])
    bands = [trace for trace in figure.data if getattr(trace, "fill", None) == "toself"]
    assert [len(band.x) for band in bands] == [4, 4]
    whole, dashed = (trace for trace in figure.data if getattr(trace, "mode", None) == "lines+markers")
    assert list(whole.y) == [0.5, 0.5, None, 0.5, None]
    assert list(dashed.y) == [None, None, None, 0.5, 0.5]
    assert dashed.line.dash == "dot"


def test_a_comparison_has_a_share_of_voice_and_a_mark_of_a_rollout() -> None:
    first, second = (timeline([point(0, count=3), point(HOUR_MS, count=0)], query, tz="UTC") for query in ("a", "b"))
    first["marks"] = [{"at_ms": HOUR_MS, "kind": "rollout", "from": 1, "to": 2, "state": "canary", "share": 0.1}]
    figure = timelines([first, second])
    shares = [list(trace.y) for trace in figure.data if getattr(trace, "stackgroup", None)]
    assert shares == [[50.0, None], [50.0, None]]
    assert "version 2, 10%" in [each.text for each in figure.layout.annotations]


def test_what_people_wrote_is_shown_and_never_run() -> None:
    term = {"term": SCRIPT, "kind": "topic", "count": 3, "lift": 2.0, "sentiment": 0.4}
    text = {
        "text": SCRIPT,
        "label": None,
        "sentiment": None,
        "created_at": "2026-03-01T10:00:00Z",
        "source": SCRIPT,
        "topics": [SCRIPT],
    }
    each = timeline([point(0)], SCRIPT, tz="UTC")
    drawn = timelines([each, timeline([point(0)], "b", tz="UTC")]).to_json() + graph(SCRIPT, [term], []).to_json()
    facets = facet_bars("Sources", [{"value": SCRIPT, "count": 3, "sentiment": 0.4}])
    html = facets + summary(explored(each)) + texts_list([text], "UTC") + terms_list([term]) + completion_list([term])
    assert "<img" not in drawn
    assert "<img" not in html
    assert html.count("&lt;img") >= 5


def test_an_export_has_a_row_a_point_and_no_formula() -> None:
    rows = list(
        csv.DictReader(
            io.StringIO(as_csv(explored(timeline([point(BACK_MS)], "=1+1"), timeline([point(BACK_MS)], "b"))))
        )
    )
    assert [row["query"] for row in rows] == ["'=1+1", "b"]
    assert rows[0]["from"] == "2026-10-25T02:00:00+02:00"
    assert rows[0]["positive"] == "4"


class Demonstration:
    """A platform that takes the demonstration, and is how `states` says, look by look."""

    def __init__(self, states: list[str]) -> None:
        self.states, self.searchable = states, iter((1999, 2000))

    def start_ingest(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert (asked["file"], asked["speed"]) == ("harwick-bay.csv", "max")
        return {"name": asked["name"]}

    def ingests(self) -> list[dict[str, Any]]:
        state = self.states.pop(0)
        kept = 2000 if state == "finished" else 500
        return [{"name": "harwick-bay", "state": state, "kept": kept, "expected": 2000, "problem": "no room"}]

    def insights(self, question: str, parameters: list[tuple[str, str]]) -> dict[str, Any]:
        assert (question, dict(parameters)) == ("timeline", {"q": 'source:"harwick-bay"'})
        return {"total": next(self.searchable)}


def test_the_demonstration_is_loaded_once_all_of_it_can_be_searched(tmp_path: Path) -> None:
    platform = Demonstration(["running", "finished", "finished"])
    looks = list(load_demo(platform, tmp_path, lambda _: None))  # type: ignore[arg-type]
    assert looks == [("harwick-bay", 500, 2000), ("harwick-bay", 2000, 2000), ("harwick-bay", 2000, 2000)]
    with (tmp_path / "harwick-bay.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 2000


def test_a_demonstration_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="the demonstration failed: no room"):
        list(load_demo(Demonstration(["failed"]), tmp_path, lambda _: None))  # type: ignore[arg-type]


def test_a_split_is_drawn_from_the_first_tone_to_the_second_and_escaped() -> None:
    driver = {"topic": SCRIPT, "mix": -0.1, "inside": 0.0, "model": 0.05, "count_before": 1.5, "count_after": 9.0}
    driver |= {"sentiment_before": None, "sentiment_after": 0.1, "words": [SCRIPT], "texts": []}
    told = {
        "before": {"sentiment": 0.3, "count": 10},
        "after": {"sentiment": 0.25, "count": 30},
        "parts": {"mix": -0.1, "inside": 0.0, "model": 0.05, "volume": 0.2},
        "drivers": [driver],
    }
    [trace] = waterfall(told).data
    assert list(trace.text) == ["+0.30", "-0.100", "+0.000", "+0.050", "+0.25"]
    html = drivers_list(told)
    assert "<img" not in html
    assert "moves the net tone by +0.200" in html
    assert "– → +0.10" in html


def test_the_two_halves_of_what_is_shown_are_offered_as_spans() -> None:
    day_ms = 24 * HOUR_MS
    days = timeline([point(i * day_ms, day_ms) for i in range(4)], bucket="day", tz="UTC")
    assert default_spans(explored(days), "", "") == ["1970-01-01/1970-01-03", "1970-01-03/1970-01-05"]
    assert default_spans(explored(days), "a/b", "") == ["a/b", ""]
    assert default_spans(None, "", "") == ["", ""]


def test_values_of_a_field_are_bars_relative_to_the_most_frequent() -> None:
    facets = [{"value": "en", "count": 40, "sentiment": -0.5}, {"value": "de", "count": 10, "sentiment": None}]
    html = facet_bars("Languages", facets, lambda code: code.upper())
    assert 'aria-label="EN: 40 texts, tone -0.50"' in html
    assert "negative" in html
    assert "width:25.0%" in html
    assert facet_bars("Languages", []) == ""
