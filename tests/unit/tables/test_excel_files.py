"""Excel workbooks as tables."""

from __future__ import annotations

import datetime as dt
import importlib.util
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet as pq

from sentiment.errors import InvalidInput
from sentiment.tables import open_table, write_table
from sentiment.tables.table import BOOLEAN, INTEGER, JSON, NUMBER, STRING
from tests.tiny_workbook import workbook


def book_of(folder: Path, rows: list[list[Any]], **others: list[list[Any]]) -> Path:
    path = folder / "in.xlsx"
    path.write_bytes(workbook(rows, **others))
    return path


def test_texts_numbers_and_times_are_read_as_what_they_are(tmp_path: Path) -> None:
    times = [dt.datetime(2026, 1, 2), dt.datetime(2026, 1, 2, 3, 4), dt.time(5, 6)]
    rows = [
        ["two\nlines", 1, 1.5, True, times[0], 1],
        ["é", 2, 2, None, times[1], "x"],
        ["c", 3, None, False, times[2]],
    ]
    table = open_table(book_of(tmp_path, [["text", "i", "n", "b", "t", "m"], *rows]))
    assert table.columns == {"text": STRING, "i": INTEGER, "n": NUMBER, "b": BOOLEAN, "t": STRING, "m": JSON}
    assert [row.values["text"] for row in table] == ["two\nlines", "é", "c"]
    assert [row.values["t"] for row in table] == ["2026-01-02", "2026-01-02T03:04:00", "05:06:00"]
    write_table(tmp_path / "out.parquet", table.columns, (row.values for row in table))
    assert pq.read_table(tmp_path / "out.parquet")["m"].to_pylist() == ["1", "x", None]


def test_durations_are_hours_minutes_and_seconds(tmp_path: Path) -> None:
    spans = [dt.timedelta(days=1, hours=2, seconds=5), dt.timedelta(minutes=3), dt.timedelta(milliseconds=1500)]
    table = open_table(book_of(tmp_path, [["text", "span"], *(["a", span] for span in spans)]))
    assert [row.values["span"] for row in table] == ["26:00:05", "0:03:00", "0:00:01.5"]


def test_blank_rows_and_columns_are_no_data_and_rows_have_the_sheets_numbers(tmp_path: Path) -> None:
    path = book_of(tmp_path, [[], [None, None], ["id", "text", None], [1, "a", None], [None, None, None], [2, "b"], []])
    assert [(row.number, row.values) for row in open_table(path)] == [
        (4, {"id": 1, "text": "a"}),
        (6, {"id": 2, "text": "b"}),
    ]


def test_names_of_columns_that_are_empty_repeated_or_numbers_lose_no_column(tmp_path: Path) -> None:
    (row,) = open_table(book_of(tmp_path, [["text", None, "text", 2026], ["a", "b", "c", "d"]]))
    assert row.values == {"text": "a", "column_2": "b", "text_2": "c", "2026": "d"}


def test_the_first_sheet_with_cells_is_read_and_said(tmp_path: Path) -> None:
    table = open_table(book_of(tmp_path, [], Tweets=[["text"], ["a"]], Notes=[["b"]]))
    assert [row.values for row in table] == [{"text": "a"}]
    assert table.description == "sheet 'Tweets', the first of 2 with cells"


def test_a_row_with_more_cells_than_the_header_is_a_problem(tmp_path: Path) -> None:
    rows = list(open_table(book_of(tmp_path, [["id", "text"], [1, "a", "b"], [2]])))
    assert rows[0].problem == "has 3 cells, the header has 2"
    assert rows[0].values == {"id": 1, "text": "a", "cell 3": "b"}
    assert rows[1].values == {"id": 2, "text": None}


def test_a_formula_without_a_saved_result_is_a_problem_and_no_empty_text(tmp_path: Path) -> None:
    rows = list(open_table(book_of(tmp_path, [["id", "text"], [1, '="a" & "b"'], [2, None], [3, "c"]])))
    assert rows[0].problem == "has a formula without a saved result in 'text': save it in a spreadsheet"
    assert [row.problem for row in rows[1:]] == [None, None]


def test_bad_rows_can_be_written_too(tmp_path: Path) -> None:
    table = open_table(book_of(tmp_path, [["n", "text"], ["=1+1", "a"], [5, "b"], ["x", "b", "more"]]))
    write_table(tmp_path / "out.parquet", table.columns, (row.values for row in table))
    assert pq.read_table(tmp_path / "out.parquet")["n"].to_pylist() == ["=1+1", "5", "x"]


def test_a_workbook_without_cells_or_without_rows(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="has no cells"):
        open_table(book_of(tmp_path, [[]]))
    assert open_table(book_of(tmp_path, [["text"]])).row_count == 0


def test_a_damaged_workbook_is_said_to_be_so(tmp_path: Path) -> None:
    whole = zipfile.ZipFile(io.BytesIO(workbook([["text"], ["a"]])))
    for left_out in ("xl/worksheets/sheet1.xml", "[Content_Types].xml", "xl/_rels/workbook.xml.rels"):
        with zipfile.ZipFile(tmp_path / "in.xlsx", "w") as archive:
            for name in whole.namelist():
                if name != left_out:
                    archive.writestr(name, whole.read(name))
        with pytest.raises(InvalidInput, match=r"in\.xlsx (is damaged as an Excel workbook|has no cells)"):
            open_table(tmp_path / "in.xlsx")


def test_a_workbook_that_unpacks_to_more_than_is_allowed_is_refused(tmp_path: Path) -> None:
    path = book_of(tmp_path, [["text"], *([f"text {n}"] for n in range(20_000))])
    with pytest.raises(InvalidInput, match="1 MB unpacked, at most 0 are read"):
        open_table(path, most_bytes=1000)


def test_without_openpyxl_its_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = book_of(tmp_path, [["text"], ["a"]])
    monkeypatch.setattr("sentiment.tables.excel_files.find_spec", lambda name: None)
    assert importlib.util.find_spec("openpyxl")
    with pytest.raises(InvalidInput, match=r"openpyxl reads: pip install 'undertone\[excel\]', or save it as CSV"):
        open_table(path)


def test_columns_cannot_be_named_for_a_workbook(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="leave out --columns"):
        open_table(book_of(tmp_path, [["text"]]), columns=["a"])
