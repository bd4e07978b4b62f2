"""20,000 dated tweets of Sentiment140, read by path: every time, author and label as an independent reader has them."""

from __future__ import annotations

import csv
import lzma
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sentiment.sources import Columns, FileFormat, SourceReading, SourceText, open_file

CORPUS = Path(__file__).parents[4] / "shared" / "data" / "sentiment140" / "sentiment140_sample_20k.csv.xz"


@pytest.mark.skipif(not CORPUS.exists(), reason=f"{CORPUS.name} is not in shared/data/sentiment140 beside the project")
async def test_every_row_of_sentiment140_becomes_a_text_with_its_time_author_and_label(tmp_path):
    path = tmp_path / "tweets.csv"
    path.write_bytes(lzma.decompress(CORPUS.read_bytes()))
    columns = Columns(time="date", author="user", id="ids", label="target")
    reading = SourceReading(columns, labels="0=negative,4=positive")
    source = open_file("csv", path, "s140", reading, FileFormat(), lambda: 1_800_000_000_000)
    texts = [arrival.record async for arrival in source.arrivals(None)]
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert all(isinstance(text, SourceText) and not text.is_corrected for text in texts)
    assert [text.id for text in texts] == [f"s140:{row['ids']}" for row in rows]
    assert [text.created_at_ms for text in texts] == [pacific_ms(row["date"]) for row in rows]
    assert Counter(text.author for text in texts) == Counter(row["user"] for row in rows)
    assert Counter(text.label for text in texts) == {"negative": 9942, "positive": 10058}


def pacific_ms(written: str) -> int:
    """Read `Mon Apr 06 22:19:45 PDT 2009` by hand."""
    local = datetime.strptime(written, "%a %b %d %H:%M:%S PDT %Y")
    return (local + timedelta(hours=7) - datetime(1970, 1, 1)) // timedelta(milliseconds=1)
