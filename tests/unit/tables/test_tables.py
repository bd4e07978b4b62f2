from __future__ import annotations

import csv
import datetime as dt
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from sentiment.errors import InvalidInput
from sentiment.tables import open_table, write_table
from sentiment.tables.table import INTEGER, JSON, NUMBER, STRING


def made(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def values_of(path: Path, encoding: str = "utf-8") -> list[dict[str, Any]]:
    return [row.values for row in open_table(path, encoding) if row.problem is None]


def problems_of(path: Path) -> dict[int, str]:
    return {row.number: row.problem for row in open_table(path) if row.problem}


def test_a_csv_keeps_quotes_line_breaks_commas_and_nuls_in_its_cells(tmp_path: Path) -> None:
    path = made(tmp_path / "in.csv", 'id,text\n1,"two\nlines, and ""quotes"""\n2,nul\0here\n')
    assert values_of(path) == [{"id": "1", "text": 'two\nlines, and "quotes"'}, {"id": "2", "text": "nul\0here"}]


@pytest.mark.parametrize("header", ["id;text", "id\ttext", "id,text"])
def test_the_delimiter_is_told_by_the_header(tmp_path: Path, header: str) -> None:
    path = made(tmp_path / "in.csv", f"{header}\n1{header[2]}fine\n")
    assert values_of(path) == [{"id": "1", "text": "fine"}]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    assert list(open_table(made(tmp_path / "in.csv", "\ufefftext\nfine\n")).columns) == ["text"]


def test_windows_line_ends_and_empty_lines_are_borne(tmp_path: Path) -> None:
    table = open_table(made(tmp_path / "in.csv", "id,text\r\n1,a\r\n\r\n2,b\r\n"))
    assert table.row_count == 2
    assert [row.number for row in table] == [1, 2]


def test_a_ragged_row_is_a_problem_that_keeps_its_cells(tmp_path: Path) -> None:
    path = made(tmp_path / "in.csv", "id,text\n1,a,extra\n2\n3,fine\n")
    rows = list(open_table(path))
    assert rows[0].values == {"id": "1", "text": "a", "cell 3": "extra"}
    assert "has 3 cells, the header has 2 (line 2)" in str(rows[0].problem)
    assert "has 1 cell, the header has 2 (line 3)" in str(rows[1].problem)
    assert rows[2].problem is None


def test_repeated_and_empty_column_names_lose_no_column(tmp_path: Path) -> None:
    path = made(tmp_path / "in.csv", "a,a,,a_2\n1,2,3,4\n")
    assert values_of(path) == [{"a": "1", "a_3": "2", "column_3": "3", "a_2": "4"}]


def test_another_encoding_is_refused_with_the_byte_the_line_and_the_remedy(tmp_path: Path) -> None:
    path = made(tmp_path / "in.csv", b"id,text\n1,fine\n2,caf\xe9\n")
    with pytest.raises(InvalidInput, match=r"byte 20 \(0xe9\), line 3\. .*--encoding cp1252"):
        open_table(path)
    with pytest.raises(InvalidInput, match=r"save it as UTF-8\.$"):
        open_table(path, encoding_option=None)
    assert values_of(path, "cp1252")[1] == {"id": "2", "text": "café"}


def test_a_bad_byte_far_into_a_file_is_found_at_its_place(tmp_path: Path) -> None:
    start = "text\n" + "é" * 600_000 + "\n"
    path = made(tmp_path / "in.csv", start.encode() + b"\xff\n")
    with pytest.raises(InvalidInput, match=rf"byte {len(start.encode())} \(0xff\), line 3"):
        open_table(path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path: Path, encoding: str) -> None:
    for name, content in {"in.csv": "text\nfiné\n", "in.tsv": "text\nfiné\n", "in.jsonl": '{"text": "finé"}\n'}.items():
        path = made(tmp_path / name, content.encode(encoding))
        assert values_of(path) == values_of(path, encoding) == [{"text": "finé"}]


def test_a_byte_order_mark_that_the_named_encoding_leaves_in_the_text_is_no_part_of_it(tmp_path: Path) -> None:
    path = made(tmp_path / "in.csv", "\ufefftext\nfine\n".encode("utf-16-le"))
    assert values_of(path, "utf-16-le") == [{"text": "fine"}]


def test_utf_16_without_a_mark_is_named_and_not_read_as_nuls(tmp_path: Path) -> None:
    for encoding in ("utf-16-le", "utf-16-be"):
        path = made(tmp_path / "in.csv", "id,text\n1,fine\n".encode(encoding))
        with pytest.raises(InvalidInput, match=f"--encoding {encoding}"):
            open_table(path)
        assert values_of(path, encoding) == [{"id": "1", "text": "fine"}]


def test_a_mark_of_utf_8_is_not_read_as_letters_of_another_encoding(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="byte order mark of UTF-8 and is no cp1252"):
        open_table(made(tmp_path / "in.csv", "\ufefftext\n"), "cp1252")


def test_an_unknown_encoding_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="'klingon' is not an encoding"):
        open_table(made(tmp_path / "in.csv", "text\n"), "klingon")
    for name in ("rot13", "hex", "utf\0-8"):
        with pytest.raises(InvalidInput, match="is not an encoding"):
            open_table(tmp_path / "in.csv", name)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("in.csv", "", "is empty"),
        ("in.csv", "\n \n\n", "holds no line but blank ones"),
        ("in.xls", "x", "must be one of .csv"),
        ("in.txt", "x", "name it .csv"),
        ("in.json", "[]", "an object a line"),
        ("in.parquet", "no parquet", "cannot be read as Parquet"),
    ],
)
def test_a_file_that_is_no_table_says_why(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        open_table(made(tmp_path / name, content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no file"):
        open_table(tmp_path / "none.csv")


def test_a_missing_column_lists_the_columns_there_are(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"no column 'text'. Its columns are: 'id', 'body'"):
        open_table(made(tmp_path / "in.csv", "id,body\n1,a\n")).require("text")


def test_a_missing_column_of_a_file_without_a_header_is_told_in_few_words(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"'column_3'.* and 81 more\.$") as caught:
        open_table(made(tmp_path / "in.csv", "x" * 5000 + "," * 100 + "\n")).require("text")
    assert len(str(caught.value)) < 600


def test_jsonl_lines_that_are_no_objects_are_problems_that_keep_the_line(tmp_path: Path) -> None:
    deep = "[" * 100_000
    path = made(tmp_path / "in.jsonl", f'{{"text": "a"}}\n{{"text":\n[1]\n\n{deep}\n{{"text": null, "n": 3}}\n')
    rows = list(open_table(path))
    assert [row.number for row in rows if row.problem] == [2, 3, 4]
    assert rows[1].values == {"line": '{"text":'}
    assert rows[4].values == {"text": None, "n": 3}


def test_jsonl_columns_have_the_narrowest_kind_that_holds_all_values(tmp_path: Path) -> None:
    lines = [{"i": 1, "n": 1, "s": "a", "j": {"x": 1}}, {"i": None, "n": 0.5, "s": "b", "j": "t", "big": 2**70}]
    path = made(tmp_path / "in.jsonl", "\n".join(map(json.dumps, lines)))
    assert open_table(path).columns == {"i": INTEGER, "n": NUMBER, "s": STRING, "j": JSON, "big": JSON}


def test_parquet_keeps_types_nulls_and_nanoseconds(tmp_path: Path) -> None:
    data = pa.table(
        {
            "text": ["a", None],
            "at": pa.array([1_700_000_000_123_456_789, None], pa.timestamp("ns", "UTC")),
            "tags": [["x", "y"], []],
            "kind": pa.array(["p", "q"]).dictionary_encode(),
            "blob": [b"\x00\xff", None],
        }
    )
    pq.write_table(data, tmp_path / "in.parquet")
    table = open_table(tmp_path / "in.parquet")
    write_table(tmp_path / "out.parquet", table.columns, (row.values for row in table))
    assert pq.read_table(tmp_path / "out.parquet").equals(data)


def test_parquet_becomes_csv_and_jsonl_without_loss_of_meaning(tmp_path: Path) -> None:
    day = dt.date(2026, 11, 21)
    pq.write_table(pa.table({"d": [day], "tags": [["x"]], "ok": [True], "n": [float("nan")]}), tmp_path / "in.parquet")
    table = open_table(tmp_path / "in.parquet")
    for ending in ("csv", "jsonl"):
        write_table(tmp_path / f"out.{ending}", table.columns, (row.values for row in table))
    assert values_of(tmp_path / "out.csv") == [{"d": "2026-11-21", "tags": '["x"]', "ok": "true", "n": "nan"}]
    assert json.loads((tmp_path / "out.jsonl").read_text()) == {"d": "2026-11-21", "tags": ["x"], "ok": True, "n": None}


def test_lone_surrogates_and_mixed_kinds_can_be_written_in_every_format(tmp_path: Path) -> None:
    path = made(tmp_path / "in.jsonl", '{"t": "a\\ud800", "m": 1, "k\\ud800": 2}\n{"t": "é", "m": {"x": [1]}}\n')
    table = open_table(path)
    for ending in ("csv", "tsv", "jsonl", "parquet"):
        target = tmp_path / f"out.{ending}"
        write_table(target, table.columns, (row.values for row in table))
        assert [row["t"][:1] for row in values_of(target)] == ["a", "é"]
    written = pq.read_table(tmp_path / "out.parquet")
    assert written["m"].to_pylist() == ["1", '{"x": [1]}']
    assert written["k\ufffd"].to_pylist() == [2, None]


def test_a_failed_write_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    target = made(tmp_path / "out.csv", "old")

    def rows() -> Any:
        yield {"a": 1}
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        write_table(target, {"a": INTEGER}, rows())
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_long_file_is_read_in_constant_memory(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        writer.writerows([number, "x" * 200] for number in range(30_000))
    tracemalloc.start()
    try:
        assert sum(1 for _ in open_table(path)) == 30_000
        assert tracemalloc.get_traced_memory()[1] < path.stat().st_size / 4
    finally:
        tracemalloc.stop()


def test_a_folder_in_place_of_a_file_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"^\.: the ending tells the format"):
        open_table(Path())
