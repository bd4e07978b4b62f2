"""What counts as a text is the same for every command that reads files: `classify-file`, `score`, `data push`."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx
import openpyxl
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from sentiment.client.bulk import reason_against
from sentiment.client.file_job import FileJob, run_job
from sentiment.client.http import UndertoneClient
from sentiment.datasets import read_examples
from sentiment.errors import InvalidInput
from sentiment.tables import STRING, Row, open_table
from tests.fake_api import FakeApi
from tests.tiny_workbook import workbook
from train_jobs.score.shards import cut_file

Read = Callable[[Path], list[str]]


def pushed(path: Path) -> list[str]:
    return [example.text for example in read_examples(path, label_column=None)]


def scored(path: Path) -> list[str]:
    rows = [row for shard in cut_file(path, "in", 0, 100, "text", "utf-8") for row in shard.rows]
    return texts_of(rows)


def classified(path: Path) -> list[str]:
    """Send the file's texts to a fake API; return those that it got."""
    api = FakeApi()
    with UndertoneClient(attempts=1, transport=httpx.WSGITransport(api)) as client:
        job = FileJob(path, path.with_name("out.jsonl"))
        run_job(job, client, lambda *_: None)
    if job.rejected.exists():
        raise InvalidInput("; ".join(json.loads(line)["reason"] for line in job.rejected.read_text().splitlines()))
    return list(api.texts.values())


def texts_of(rows: list[Row]) -> list[str]:
    if reasons := [reason for row in rows if (reason := reason_against(row, "text"))]:
        raise InvalidInput("; ".join(reasons))
    return [row.values["text"] for row in rows]


DOORS: Final[dict[str, Read]] = {"classify-file": classified, "score": scored, "data push": pushed}


def lines_of(folder: Path, *values: Any) -> Path:
    path = folder / "in.jsonl"
    path.write_text("".join(json.dumps({"text": value}) + "\n" for value in values))
    return path


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("value", [["I love"], {"a": "b"}, True, 5, 0.5])
def test_what_is_no_string_is_no_text(tmp_path: Path, door: str, value: Any) -> None:
    with pytest.raises(InvalidInput, match=r"'text' holds .*, not text"):
        DOORS[door](lines_of(tmp_path, "fine", value))


@pytest.mark.parametrize("door", DOORS)
def test_numbers_of_a_csv_are_texts(tmp_path: Path, door: str) -> None:
    (tmp_path / "in.csv").write_text("text\n5\nTrue\n")
    assert DOORS[door](tmp_path / "in.csv") == ["5", "True"]


@pytest.mark.parametrize("door", DOORS)
def test_numbers_of_a_workbook_are_read_as_they_are_written(tmp_path: Path, door: str) -> None:
    path = tmp_path / "in.xlsx"
    path.write_bytes(workbook([["text"], [5], [0.5], [True], ["fine"], [dt.date(2026, 1, 2)]]))
    assert DOORS[door](path) == ["5", "0.5", "TRUE", "fine", "2026-01-02"]


@pytest.mark.parametrize("door", DOORS)
def test_an_error_of_a_spreadsheet_is_no_text(tmp_path: Path, door: str) -> None:
    path = tmp_path / "in.xlsx"
    path.write_bytes(workbook([["id", "text"], [1, "good"], [], [2, "#REF!"]]))
    with pytest.raises(InvalidInput, match="'text' holds #REF!, an error of the spreadsheet, not text"):
        DOORS[door](path)


def test_an_error_beside_the_text_or_the_same_word_typed_spoils_no_row(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["id", "text"])
    book.active.append(["#N/A", "good"])
    book.active.append([2, "x"])
    book.active["B3"].value, book.active["B3"].data_type = "#N/A", "s"
    book.save(tmp_path / "in.xlsx")
    assert pushed(tmp_path / "in.xlsx") == ["good", "#N/A"]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary(5)])
def test_a_binary_column_of_parquet_is_read_as_utf_8(tmp_path: Path, door: str, kind: pa.DataType) -> None:
    table = pa.table({"text": pa.array(["goodé"[:4].encode() + b"!", "schön"[:4].encode()], kind)})
    pq.write_table(table, tmp_path / "in.parquet")
    assert DOORS[door](tmp_path / "in.parquet") == ["good!", "schö"]


@pytest.mark.parametrize("door", DOORS)
def test_a_binary_cell_that_is_not_utf_8_is_one_bad_row(tmp_path: Path, door: str) -> None:
    pq.write_table(pa.table({"text": [b"good", b"\xff\xfe"]}), tmp_path / "in.parquet")
    with pytest.raises(InvalidInput, match=r"'text' is not UTF-8 at byte 0 \(0xff\)"):
        DOORS[door](tmp_path / "in.parquet")


@pytest.mark.parametrize("door", DOORS)
def test_a_list_of_parquet_is_shown_as_json(tmp_path: Path, door: str) -> None:
    pq.write_table(pa.table({"text": [["I love"]]}), tmp_path / "in.parquet")
    with pytest.raises(InvalidInput, match=r"'text' holds \[\"I love\"\], not text"):
        DOORS[door](tmp_path / "in.parquet")


def test_a_binary_column_of_texts_leaves_as_text_and_another_as_it_came(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [b"good"], "blob": [b"\xff\x00"]}), tmp_path / "in.parquet")
    table = open_table(tmp_path / "in.parquet").with_texts("text")
    assert table.columns == {"text": STRING, "blob": pa.binary()}
    with UndertoneClient(attempts=1, transport=httpx.WSGITransport(FakeApi())) as client:
        run_job(FileJob(tmp_path / "in.parquet", tmp_path / "out.parquet"), client, lambda *_: None)
    (row,) = pq.read_table(tmp_path / "out.parquet").select(["text", "blob"]).to_pylist()
    assert row == {"text": "good", "blob": b"\xff\x00"}


def test_binary_labels_sources_and_languages_are_read_as_text(tmp_path: Path) -> None:
    columns = {"text": [b"so good"], "label": [b"positive"], "app": [b"mail"], "lang": [b"en"], "blob": [b"\xff"]}
    pq.write_table(pa.table(columns), tmp_path / "in.parquet")
    (example,) = read_examples(tmp_path / "in.parquet", source_column="app", language_column="lang")
    assert (example.label, example.source, example.language) == ("positive", "mail", "en")


@pytest.mark.parametrize("door", DOORS)
def test_two_columns_of_parquet_with_the_name_of_the_texts_are_refused(tmp_path: Path, door: str) -> None:
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
    pq.write_table(table, tmp_path / "in.parquet")
    with pytest.raises(InvalidInput, match=r"in\.parquet has more than one column 'text': rename one"):
        DOORS[door](tmp_path / "in.parquet")


def test_a_column_that_stands_twice_beside_the_texts_is_kept_under_two_names(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array([1]), pa.array([2])], names=["text", "n", "n"])
    pq.write_table(table, tmp_path / "in.parquet")
    (row,) = open_table(tmp_path / "in.parquet").with_texts("text")
    assert row.values == {"text": "a", "n": 1, "n_2": 2}
