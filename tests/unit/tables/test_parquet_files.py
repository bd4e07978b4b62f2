"""Parquet: a bad cell is a bad row, and what no Python value is equal to leaves as it came."""

from __future__ import annotations

import json
import pickle
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from sentiment.errors import InvalidInput
from sentiment.tables import INTEGER, open_table, write_table

LATE = [253_402_300_800_000_000, 2**62, 0, None]  # the first is 10000-01-01 in microseconds

#: Four rows of each type that a Parquet file may hold.
COLUMNS: dict[str, Any] = {
    "late": pa.array(LATE, pa.timestamp("us")),
    "zoned": pa.array(LATE, pa.timestamp("us", "Europe/Berlin")),
    "nowhere": pa.array(LATE, pa.timestamp("us", "Mars/Phobos")),
    "day": pa.array([2**31 - 1, -(2**31), 0, None], pa.int32()).cast(pa.date32()),
    "clock": pa.array([1, 2, 3, None], pa.time64("ns")),
    "span": pa.array([1, 2, 3, None], pa.duration("ns")),
    "price": pa.array([Decimal("1.10"), Decimal("-123456789012345678901234567890.12"), None, None]),
    "tags": pa.array([["x"], [], [None], None]),
    "point": pa.array([{"x": 1, "late": [None]}, {"x": None, "late": []}, {"x": 2, "late": None}, None]),
    "map": pa.array([[("k", 1)], [], [("k", None)], None], pa.map_(pa.string(), pa.int64())),
    "kind": pa.array(["p", "q", "p", None]).dictionary_encode(),
    "blob": pa.array([b"\x00\xff", b"", b"a", None]),
    "pair": pa.array([b"ab", b"\xff\xff", b"cd", None], pa.binary(2)),
    "half": pa.array([1.5, 0.25, -2, None], pa.float16()),
    "single": pa.array([0.1, 1e30, -2, None], pa.float32()),
    "large": pa.array([2**64 - 1, 0, 1, None], pa.uint64()),
    "long": pa.array(["a", "é", "", None], pa.large_string()),
    "nothing": pa.nulls(4),
}


def file_of(folder: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), folder / "in.parquet")
    return folder / "in.parquet"


def not_utf8(*texts: bytes, kind: Any = None) -> Any:
    wide = kind == pa.large_string()
    return pa.array(texts, pa.large_binary() if wide else pa.binary()).view(kind or pa.string())


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_of_any_type_leaves_as_it_came(tmp_path: Path, name: str) -> None:
    path = file_of(tmp_path, text=["a", "b", "c", "d"], any=COLUMNS[name])
    table = open_table(path)
    rows = list(table)
    assert [row.problem for row in rows] == [None] * 4
    write_table(tmp_path / "out.parquet", table.columns, (row.values for row in rows))
    before, after = pq.read_table(path)["any"], pq.read_table(tmp_path / "out.parquet")["any"]
    assert after.type == before.type
    assert after.combine_chunks().equals(before.combine_chunks())


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_of_any_type_can_be_written_as_csv_and_json(tmp_path: Path, name: str) -> None:
    table = open_table(file_of(tmp_path, text=["a", "b", "c", "d"], any=COLUMNS[name]))
    for ending in (".csv", ".tsv", ".jsonl"):
        target = tmp_path / f"out{ending}"
        write_table(target, table.columns, (row.values for row in table))
        assert [row.values["text"] for row in open_table(target)] == ["a", "b", "c", "d"]


def test_times_are_told_in_iso_8601_and_by_their_count_where_there_is_no_calendar(tmp_path: Path) -> None:
    table = open_table(file_of(tmp_path, **{name: COLUMNS[name] for name in ("late", "zoned", "nowhere", "day")}))
    write_table(tmp_path / "out.jsonl", table.columns, (row.values for row in table))
    first, second, third, _ = (json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines())
    assert first["late"] == "10000-01-01T00:00:00.000000"
    assert first["zoned"] == "10000-01-01T01:00:00.000000+01:00"
    assert first["nowhere"] == "10000-01-01T00:00:00.000000Z"
    assert second["zoned"] == f"{2**62} us since 1970-01-01"
    assert third["day"] == "1970-01-01"


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_a_text_that_is_not_utf_8_spoils_its_row_in_whatever_column_it_stands(tmp_path: Path, kind: Any) -> None:
    note = not_utf8(b"fine", b"caf\xe9", b"fine", kind=kind)
    for name in ("text", "note"):
        path = file_of(tmp_path, **{"text": ["a", "b", "c"], name: note})
        assert [row.problem for row in open_table(path)] == [None, f"{name!r} is not UTF-8 at byte 3 (0xe9)", None]


def test_a_text_in_a_dictionary_or_in_a_list_that_is_not_utf_8_spoils_its_row(tmp_path: Path) -> None:
    inner = not_utf8(b"\xff", b"fine")
    path = file_of(tmp_path, text=inner.dictionary_encode(), tags=pa.ListArray.from_arrays(pa.array([0, 1, 2]), inner))
    first, second = open_table(path)
    assert first.problem == "'text' is not UTF-8 at byte 0 (0xff); 'tags' holds a text that is not UTF-8 (0xff)"
    assert second.problem is None


def test_a_bad_row_can_be_written_too(tmp_path: Path) -> None:
    inner = not_utf8(b"\xff", b"fine")
    table = open_table(file_of(tmp_path, text=inner, tags=pa.ListArray.from_arrays(pa.array([0, 1, 2]), inner)))
    for ending in (".csv", ".jsonl", ".parquet"):
        write_table(tmp_path / f"out{ending}", table.columns, (row.values for row in table))
    assert pq.read_table(tmp_path / "out.parquet").to_pylist()[0] == {"text": "\ufffd", "tags": None}


def test_rows_that_were_left_out_leave_the_others_as_they_were(tmp_path: Path) -> None:
    times = pa.array(range(5000), pa.timestamp("s"))
    path = file_of(tmp_path, n=range(5000), at=times, tags=[[str(n)] for n in range(5000)])
    table = open_table(path)
    write_table(tmp_path / "out.parquet", table.columns, (row.values for row in table if row.number % 3))
    expected = [row for place, row in enumerate(pq.read_table(path).to_pylist(), 1) if place % 3]
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == expected


def test_rows_survive_the_way_to_another_process(tmp_path: Path) -> None:
    rows = list(open_table(file_of(tmp_path, text=["a", "b"], at=pa.array([1, None], pa.timestamp("ns")))))
    assert pickle.loads(pickle.dumps(rows)) == rows


@pytest.mark.parametrize("place", [200, 1500])
def test_a_damaged_page_is_known_before_the_first_row_is_given(tmp_path: Path, place: int) -> None:
    path = file_of(tmp_path, text=[str(n) * 9 for n in range(500)])
    content = bytearray(path.read_bytes())
    content[place : place + 100] = b"\xff" * 100
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"in\.parquet (is damaged|cannot be read as Parquet)"):
        open_table(path)


def test_a_damaged_file_is_said_to_be_so_in_one_line(tmp_path: Path) -> None:
    path = file_of(tmp_path, text=["a" * 50, "b" * 50])
    whole = path.read_bytes()
    for damaged in (whole[:4] + bytes(40) + whole[44:], whole[:-8], whole[:20] + b"\xff" * 9 + whole[29:]):
        path.write_bytes(damaged)
        with pytest.raises(InvalidInput) as caught:
            open_table(path)
        told = r"in\.parquet cannot be read as Parquet \([^\n]+\w\)?\): write or fetch it anew\."
        assert re.fullmatch(told, str(caught.value))


def test_a_column_that_parquet_cannot_hold_is_named_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"The column 'n' cannot be written as Parquet .*\.jsonl"):
        write_table(tmp_path / "out.parquet", {"n": INTEGER}, [{"n": "one"}])
    assert list(tmp_path.iterdir()) == []


def test_columns_whose_names_differ_in_half_a_surrogate_only_are_both_written(tmp_path: Path) -> None:
    write_table(tmp_path / "out.parquet", {"k\ud800": INTEGER, "k?": INTEGER}, [{"k\ud800": 1, "k?": 2}])
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == [{"k?": 1, "k?_2": 2}]
