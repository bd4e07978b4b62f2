"""Tables as sources: every kind gives the same records, and a position goes on in the same file only."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from sentiment.errors import InvalidInput
from sentiment.sources import (
    Arrival,
    Columns,
    FileFormat,
    FileSource,
    Position,
    Rejected,
    SourceReading,
    SourceText,
    open_file,
)

ROWS = [
    {"text": "I love it", "when": "Mon May 11 03:17:40 UTC 2009", "who": "ann"},
    {"text": "awful", "when": "Mon May 11 03:18:40 UTC 2009", "who": "bob"},
    {"text": "", "when": "Mon May 11 03:19:40 UTC 2009", "who": "ann"},
    {"text": "a table", "when": "Mon May 11 03:20:40 UTC 2009", "who": ""},
]
READING = SourceReading(Columns("text", "when", "who"))


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    return path


def opened(path: Path, reading: SourceReading = READING, form: FileFormat | None = None) -> FileSource:
    kind = {".tsv": "csv"}.get(path.suffix, path.suffix[1:])
    return open_file(kind, path, "tweets", reading, form or FileFormat(), lambda: 1_800_000_000_000)


async def all_of(source: FileSource, position: Position | None = None) -> list[Arrival]:
    return [arrival async for arrival in source.arrivals(position)]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
async def test_every_kind_of_file_gives_the_same_records(tmp_path, ending):
    source = opened(write(tmp_path / f"in.{ending}", ROWS))
    arrivals = await all_of(source)
    assert source.expected == 4
    assert [arrival.place for arrival in arrivals] == [1, 2, 3, 4]
    first, _, empty, last = (arrival.record for arrival in arrivals)
    assert isinstance(first, SourceText)
    assert (first.text, first.created_at_ms, first.author) == ("I love it", 1_242_011_860_000, "ann")
    assert isinstance(empty, Rejected)
    assert isinstance(last, SourceText)
    assert last.author is None


async def test_times_of_a_parquet_files_own_kind_are_read(tmp_path):
    table = pa.table({"text": ["x"], "when": pa.array([1_242_011_860], pa.timestamp("s", "America/New_York"))})
    pq.write_table(table, tmp_path / "in.parquet")
    [arrival] = await all_of(opened(tmp_path / "in.parquet", SourceReading(Columns(time="when"))))
    assert arrival.record.created_at_ms == 1_242_011_860_000


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
async def test_values_inside_objects_are_read_by_their_path(tmp_path, ending):
    rows = [{"text": "I love it", "user": {"name": "ann", "at": "13/04/2009"}}]
    columns = Columns(time="user.at", author="user.name")
    [arrival] = await all_of(opened(write(tmp_path / f"in.{ending}", rows), SourceReading(columns)))
    assert (arrival.record.author, arrival.record.created_at_ms) == ("ann", 1_239_580_800_000)


async def test_a_file_goes_on_behind_each_position(tmp_path):
    source = opened(write(tmp_path / "in.csv", ROWS))
    arrivals = await all_of(source)
    for number, arrival in enumerate(arrivals, 1):
        assert await all_of(source, json.loads(json.dumps(arrival.position))) == arrivals[number:]


async def test_a_file_that_has_grown_goes_on_with_its_new_rows(tmp_path):
    path = tmp_path / "in.csv"
    position = (await all_of(opened(write(path, ROWS[:2]))))[-1].position
    assert [arrival.place for arrival in await all_of(opened(write(path, ROWS)), position)] == [3, 4]


@pytest.mark.parametrize("rows", [ROWS[:1], [ROWS[1], ROWS[0], *ROWS[2:]]])
async def test_another_file_than_the_one_that_was_begun_is_refused(tmp_path, rows):
    path = tmp_path / "in.csv"
    position = (await all_of(opened(write(path, ROWS[:2]))))[-1].position
    with pytest.raises(InvalidInput, match="is not the file of which 'tweets' has read 2 rows: give another --name"):
        await all_of(opened(write(path, rows)), position)


async def test_a_file_without_a_header_has_the_columns_that_were_named(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("I love it,2009-05-11\n")
    form = FileFormat(header=("text", "when"))
    [arrival] = await all_of(opened(path, SourceReading(Columns(time="when")), form))
    assert arrival.record.created_at_ms == 1_242_000_000_000


@pytest.mark.parametrize(
    ("columns", "option"),
    [
        (Columns("txt"), "--text-column"),
        (Columns(time="date"), "--time-column"),
        (Columns(author="user"), "--author-column"),
        (Columns(topic="tags"), "--topic-column"),
        (Columns(id="ids"), "--id-column"),
        (Columns(label="target"), "--label-column"),
    ],
)
def test_a_column_that_is_not_there_is_named_with_its_option_and_those_there_are(tmp_path, columns, option):
    with pytest.raises(InvalidInput) as refused:
        opened(write(tmp_path / "in.csv", ROWS), SourceReading(columns))
    assert f"({option}). Its columns are: 'text', 'when', 'who'." in str(refused.value)
    assert refused.value.field == option[2:].replace("-", "_")


def test_a_file_of_another_kind_names_the_command_for_it(tmp_path):
    path = write(tmp_path / "in.jsonl", ROWS)
    with pytest.raises(InvalidInput, match="is not a csv file by its ending: its kind is jsonl, as in"):
        open_file("csv", path, "tweets", READING, FileFormat(), lambda: 0)


def test_dates_that_may_be_two_are_refused_before_anything_is_read(tmp_path):
    rows = [replace_when(ROWS[0], "03/04/2009")]
    with pytest.raises(InvalidInput, match=r"in.csv, column 'when': row 1 has '03/04/2009', which may be"):
        opened(write(tmp_path / "in.csv", rows))
    opened(tmp_path / "in.csv", replace(READING, time_format="%d/%m/%Y"))


def test_labels_without_a_meaning_are_refused_before_anything_is_read(tmp_path):
    path = write(tmp_path / "in.csv", [{"text": "x", "label": 4}])
    with pytest.raises(InvalidInput, match="row 1 has the label 4"):
        opened(path, SourceReading(Columns(label="label")))


def replace_when(row: dict[str, Any], when: str) -> dict[str, Any]:
    return row | {"when": when}
