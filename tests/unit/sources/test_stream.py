"""A stream of lines: objects or texts, however it is cut into pieces, broken and endless lines among them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.datasets.source.labelling import Labelling
from sentiment.sources import Columns, Rejected, RowReader, SourceText, StreamSource, TimeReader
from sentiment.sources import stream as stream_module


async def chunks_of(content: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def records_of(content: bytes, size: int = 7, columns: Columns | None = None) -> list[SourceText | Rejected]:
    reader = RowReader("s", columns or Columns(), TimeReader(), Labelling(), lambda: 1_800_000_000_000)
    return [arrival.record async for arrival in StreamSource(chunks_of(content, size), reader).arrivals(None)]


async def test_lines_that_are_no_objects_are_texts():
    records = await records_of(b"I love it\r\n\n  \nawful")
    assert [record.text for record in records] == ["I love it", "awful"]


async def test_lines_are_objects_where_the_first_one_is():
    columns = Columns("body", time="at", id="n")
    content = b'\xef\xbb\xbf{"body": "I love it", "at": 1242011860, "n": 5}\nno object\n'
    first, second = await records_of(content, columns=columns)
    assert first == SourceText("s:5", "I love it", 1_242_011_860_000)
    assert second.reason.startswith("is not JSON")


async def test_the_same_line_in_the_same_place_is_the_same_text_and_elsewhere_another():
    once, twice = await records_of(b"a\nb\n"), await records_of(b"a\nb\nb\n")
    assert twice[:2] == once
    assert twice[2].id != twice[1].id


async def test_a_line_that_is_no_text_spoils_itself_only():
    records = await records_of(b"good\n\xff\xfe\ngood\n")
    assert [isinstance(record, Rejected) for record in records] == [False, True, False]
    assert "is not UTF-8 (byte 0xff)" in records[1].reason


async def test_an_endless_line_is_rejected_and_what_follows_it_is_read(monkeypatch):
    monkeypatch.setattr(stream_module, "_LONGEST_LINE_BYTES", 100)
    records = await records_of(b"good\n" + b"x" * 1000 + b"\nbad\n" + b"y" * 1000, size=30)
    assert [getattr(record, "text", None) for record in records] == ["good", None, "bad", None]
    assert "longer than 100 bytes" in records[1].reason


@given(st.lists(st.binary(max_size=20).filter(lambda line: b"\n" not in line)), st.integers(1, 50))
async def test_however_a_stream_is_cut_its_lines_are_the_same(lines, size):
    content = b"\n".join(lines)
    whole = [line async for line in stream_module.lines_of(chunks_of(content, len(content) or 1))]
    assert [line async for line in stream_module.lines_of(chunks_of(content, size))] == whole
    assert whole == [line.removesuffix(b"\r") for line in content.split(b"\n")][: len(whole)]


@pytest.mark.parametrize("content", [b"", b"\n\n"])
async def test_an_empty_stream_has_no_records(content):
    assert await records_of(content) == []
