"""The tab *Live*: what is asked of the platform, and how a stream is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("plotly", reason="the page needs the ui extra")

from gradio_ui.tabs.live.streams import (
    BLUESKY,
    DEMO,
    UPLOAD,
    StreamRequest,
    confusion,
    ingest_of,
    look,
    start,
    timeline_of,
)
from gradio_ui.tabs.live.view import bars, confusion_table, latest_list, over_time, overview, state_line, streams_list
from sentiment.errors import InvalidInput, Unavailable
from tests.unit.page.test_explore_tab import HOUR_MS, SCRIPT, point, timeline

DAY_S = 24 * 3600.0
INGEST = {
    "name": "tweets",
    "kind": "csv",
    "state": "running",
    "problem": None,
    "read": 40,
    "kept": 38,
    "folded": 2,
    "rejected": 2,
    "corrected": 1,
    "limit": None,
    "expected": 80,
}


class Platform:
    """Takes ingests, and answers as the API does."""

    def __init__(self) -> None:
        self.started: list[dict[str, Any]] = []

    def start_ingest(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.started.append(asked)
        return INGEST | {"name": asked["name"]}

    def ingests(self) -> list[dict[str, Any]]:
        return [INGEST]

    def insights(self, question: str, parameters: list[tuple[str, str]]) -> dict[str, Any]:
        assert dict(parameters)["q"] == 'source:"tweets"'
        facet = {"value": f"a {dict(parameters).get('by')} of a long name", "count": 2, "sentiment": 0.5}
        answers = {"facets": {"facets": [facet]}, "timeline": timeline([point(0)], tz="UTC"), "top": {"texts": []}}
        return answers[question]

    def texts(self, parameters: list[tuple[str, str]]) -> dict[str, Any]:
        assert dict(parameters)["source"] == "tweets"
        return {"texts": [{"label": "positive", "feedback": []}, labelled("negative", "positive")], "next": None}


def labelled(true: str, label: str) -> dict[str, Any]:
    return {"label": label, "feedback": [{"source": "tweets", "label": true}]}


def started(folder: Path, stream_request: StreamRequest, now_s: float = DAY_S) -> dict[str, Any]:
    platform = Platform()
    start(platform, folder, stream_request, lambda: now_s)  # type: ignore[arg-type]
    return platform.started[0]


def test_the_demonstration_is_put_where_the_platform_looks_for_files(tmp_path: Path) -> None:
    asked = started(tmp_path / "files", StreamRequest(DEMO, limit="1,000", speed="60x"))
    assert (tmp_path / "files" / asked["file"]).read_text(encoding="utf-8").startswith("id,created_at")
    assert (asked["kind"], asked["limit"], asked["speed"]) == ("csv", 1000, "60x")
    assert (asked["time_column"], asked["label_column"]) == ("created_at", "label")


def test_an_uploaded_file_is_named_by_its_content_and_an_old_one_goes(tmp_path: Path) -> None:
    upload = tmp_path / "My tweets (1).CSV"
    upload.write_text("text,when\ngood,2026-03-01\n")
    stream_request = StreamRequest(
        UPLOAD, text_column="text", columns={"time": "when", "author": ""}, upload=str(upload)
    )
    now_s = upload.stat().st_mtime
    first, second = (started(tmp_path / "files", stream_request, now_s) for _ in range(2))
    assert first == second
    assert first["name"] == "My-tweets-1"
    assert first["time_column"] == "when"
    assert "author_column" not in first
    upload.write_text("text,when\nbad,2026-03-02\n")
    third = started(tmp_path / "files", stream_request, now_s + DAY_S * 30)
    kept = [path.name for path in (tmp_path / "files" / "uploads").iterdir()]
    assert kept == [Path(third["file"]).name]


def test_bluesky_needs_no_file_and_no_speed(tmp_path: Path) -> None:
    asked = started(tmp_path, StreamRequest(BLUESKY, languages="en, de", limit="50"))
    assert asked == {"name": "bluesky", "kind": "bluesky", "languages": ["en", "de"], "limit": 50}


@pytest.mark.parametrize(
    ("stream_request", "message"),
    [
        (StreamRequest(UPLOAD), "Choose a file first"),
        (StreamRequest(UPLOAD, upload="notes.pdf"), "notes.pdf: a stream is CSV"),
        (StreamRequest(DEMO, limit="many"), "'many' is not a number of texts"),
    ],
)
def test_a_wrong_request_is_refused(tmp_path: Path, stream_request: StreamRequest, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        started(tmp_path, stream_request)


def test_a_file_that_is_read_just_now_is_not_written_again(tmp_path: Path) -> None:
    place = tmp_path / started(tmp_path, StreamRequest(DEMO))["file"]
    before = place.stat().st_ino
    started(tmp_path, StreamRequest(DEMO))
    assert place.stat().st_ino == before
    place.write_text("damaged")
    started(tmp_path, StreamRequest(DEMO))
    assert place.read_text(encoding="utf-8").startswith("id,created_at")
    assert [each.name for each in tmp_path.iterdir()] == ["harwick-bay.csv"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="cannot write into the platform's folder"):
        started(tmp_path / "file", StreamRequest(DEMO))


def test_a_look_has_the_ingest_its_texts_and_the_labels_that_are_known() -> None:
    platform = Platform()
    seen = look(platform, INGEST, timeline_of(platform, "tweets"))  # type: ignore[arg-type]
    assert seen.ingest is INGEST
    assert "author a auth" in bars(seen)
    assert "a topic of a long name" in bars(seen)
    assert confusion(seen.labelled) == {("negative", "positive"): 1}
    assert ingest_of(platform.ingests(), "other") is None


def test_a_stream_is_shown_with_its_counts_and_what_is_wrong() -> None:
    assert "40 read, 38 kept, 2 folded, 2 rejected, 1 with a corrected time" in state_line(INGEST)
    assert 'aria-valuemax="80"' in state_line(INGEST)
    assert "is finished" in state_line(INGEST | {"state": "finished"})
    failed = state_line(INGEST | {"state": "failed", "problem": SCRIPT})
    assert "problem" in failed
    assert "<img" not in failed + streams_list([INGEST | {"name": SCRIPT}])


def test_tiles_count_labels_and_what_came_since_the_last_look() -> None:
    platform = Platform()
    seen = look(platform, INGEST, timeline_of(platform, "tweets"))  # type: ignore[arg-type]
    tiles, ring = overview(seen, before=1)
    assert "+3 since the last look" in tiles
    assert "positive 100.0%" in ring


def test_tone_has_a_rolling_mean_over_what_is_there() -> None:
    points = [point(i * HOUR_MS, sentiment=tone, count=1) for i, tone in enumerate((0.0, 0.6, 0.9))]
    points.insert(1, point(HOUR_MS // 2, count=0))
    figure = over_time(timeline(points, tz="UTC"))
    [rolling] = [trace for trace in figure.data if trace.name == "rolling mean of 3"]
    assert list(rolling.y) == pytest.approx([0.0, 0.0, 0.3, 0.75])


def test_a_stream_without_true_labels_has_no_table_of_mistakes() -> None:
    assert confusion_table([]) == ""
    table = confusion_table([labelled("negative", "negative"), labelled("neutral", "positive")])
    assert "50.0% are right" in table
    assert latest_list([]) == '<p class="small">No text yet.</p>'
