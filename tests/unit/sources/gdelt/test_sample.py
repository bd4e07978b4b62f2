"""Rows of GDELT's own, read by path: all of them are read, and their tones have the means that were found otherwise."""

from __future__ import annotations

import lzma
from pathlib import Path
from statistics import mean

import pytest

from sentiment.sources.gdelt.columns import RowFormat
from sentiment.sources.gdelt.event_topics import event_kinds
from sentiment.sources.gdelt.events import EVENTS, MENTIONS
from sentiment.sources.gdelt.gkg import GKG, GKG_1
from sentiment.sources.gdelt.topics import topics_of_article

SAMPLE = Path(__file__).parents[5] / "shared" / "data" / "gdelt_sample"

pytestmark = pytest.mark.skipif(not SAMPLE.exists(), reason="there is no shared/data/gdelt_sample beside the project")


def rows_of(name: str, table: RowFormat) -> list:
    text = lzma.decompress((SAMPLE / f"{name}.xz").read_bytes()).decode("utf-8", "replace")
    return [table.read(line) for line in text.split("\n") if line]


@pytest.mark.parametrize(
    ("name", "table", "count"),
    [
        ("gkg.csv", GKG, 100),
        ("gkgT.csv", GKG, 100),
        ("gkg1.csv", GKG_1, 95),
        ("events.csv", EVENTS, 100),
        ("eventsT.csv", EVENTS, 100),
        ("mentions.csv", MENTIONS, 100),
        ("mentionsT.csv", MENTIONS, 100),
        ("20190121220000.export.CSV", EVENTS, 1629),
        ("20151027220000.export.events.csv", EVENTS, 2116),
    ],
)
def test_every_row_of_the_sample_is_read(name, table, count):
    assert len(rows_of(name, table)) == count


@pytest.mark.parametrize(("name", "tone"), [("gkg.csv", -1.144), ("gkgT.csv", -1.345)])
def test_the_articles_have_their_tones(name, tone):
    rows = rows_of(name, GKG)
    assert mean(row.tone.tone for row in rows) == pytest.approx(tone, abs=5e-4)
    assert all(row.tone.tone == pytest.approx(row.tone.positive - row.tone.negative) for row in rows)


def test_the_events_of_a_quarter_hour_have_their_tone():
    rows = rows_of("20190121220000.export.CSV", EVENTS)
    assert mean(row.average_tone for row in rows) == pytest.approx(-2.355, abs=5e-4)
    assert all(row.event_kind for row in rows)


def test_pages_of_2020_have_titles_and_topics():
    rows = rows_of("gkg.csv", GKG)
    assert [bool(row.title) for row in rows] == [row.record_id.startswith("2020") for row in rows]
    assert "oil" in topics_of_article(rows[50])
    assert rows_of("gkgT.csv", GKG)[50].title.startswith("V\u00fdroba v TPCA")


def test_articles_of_the_sample_are_found_by_the_events_that_they_tell_of():
    tables = [lzma.decompress((SAMPLE / f"{name}.csv.xz").read_bytes()).split(b"\n") for name in ("events", "mentions")]
    kinds = event_kinds(*tables)
    events = {row.event_id: row.event_kind for row in rows_of("events.csv", EVENTS)}
    told = {row.identifier for row in rows_of("mentions.csv", MENTIONS) if row.kind == 1 and row.event_id in events}
    assert set(kinds) == told
    assert set().union(*kinds.values()) <= set(events.values())
