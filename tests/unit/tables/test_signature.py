"""Files that are something else than their names say, and packed ones."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from sentiment.errors import InvalidInput
from sentiment.tables import open_table
from sentiment.tables.files import is_table
from tests.tiny_workbook import workbook


def parquet() -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": ["a"]}), buffer)
    return buffer.getvalue()


def archive(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name in names:
            opened.writestr(name, "text\na\n")
    return buffer.getvalue()


CSV = b"text\na\n"
CONTENTS = {
    "csv": CSV,
    "parquet": parquet(),
    "gzip": gzip.compress(CSV),
    "zip": archive("__MACOSX/._in.csv", "folder/", "in.csv", "b.csv"),
    "xlsx": workbook([["text"], ["a"]]),
    "office": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 20,
    "page": b"\xef\xbb\xbf\n<!DOCTYPE html><title>Sign in</title>",
    "xml": b"<?xml version='1.0'?><Workbook/>",
    "picture": b"\x89PNG\r\n\x1a\n\0\0\0",
    "apple": b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X",
}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("in.csv", "gzip", r"is gzip by its first bytes: unpack it \(gunzip\), or name it .* as in\.csv\.gz"),
        ("in.gz", "gzip", r"is gzip by its first bytes: .* as in\.csv\.gz"),
        ("in.parquet", "gzip", "is gzip by its first bytes"),
        ("in.csv", "parquet", r"is Parquet by its first bytes: name it in\.parquet"),
        ("in.csv.gz", "parquet", "is Parquet by its first bytes"),
        ("in.csv", "xlsx", r"is an Excel workbook by its first bytes: name it in\.xlsx, or save it as CSV"),
        ("in.xls", "xlsx", r"is an Excel workbook by its first bytes: name it in\.xlsx"),
        ("data", "xlsx", r"is an Excel workbook by its first bytes: name it data\.xlsx"),
        (
            "in.csv",
            "zip",
            r"is a zip archive by its first bytes: unpack it and give the table in it \(in\.csv, b\.csv\)",
        ),
        ("in.zip", "zip", "is a zip archive by its first bytes: unpack it"),
        ("in.xlsx", "zip", "is a zip archive by its first bytes: unpack it"),
        ("in.jsonl", "office", "old or password-protected Office file .* save it as .xlsx without a password"),
        ("in.xlsx", "office", "old or password-protected Office file"),
        ("in.csv", "page", "is a web page or XML by its first bytes: open it to see"),
        ("in.xlsx", "xml", "is a web page or XML by its first bytes"),
        ("in.csv", "picture", "is a picture by its first bytes: give a table"),
        ("in.tar.gz", "gzip", r"is gzip by its first bytes: unpack it \(tar xzf\)"),
        ("._in.csv", "apple", "what macOS notes beside a file .* give the file itself"),
        ("in.xlsx", "csv", r"is not an Excel workbook by its first bytes.* name it in\.csv"),
        ("in.parquet", "csv", r"cannot be read as Parquet by its first bytes.* name it in\.csv"),
        ("in.csv.gz", "csv", r"is not gzip by its first bytes.* name it in\.csv"),
    ],
)
def test_a_file_is_said_to_be_what_its_first_bytes_are(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_bytes(CONTENTS[content])
    with pytest.raises(InvalidInput, match=message):
        open_table(tmp_path / name)


def test_an_archive_that_is_cut_off_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "in.xlsx").write_bytes(CONTENTS["xlsx"][:500])
    with pytest.raises(InvalidInput, match="a zip archive by its first bytes: it is cut off"):
        open_table(tmp_path / "in.xlsx")


def test_a_header_that_begins_as_parquet_does_is_a_header(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b"PAR1,text\n1,a\n")
    assert [row.values for row in open_table(tmp_path / "in.csv")] == [{"PAR1": "1", "text": "a"}]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("in.csv.gz", b"id,text\n1,fine\n"),
        ("IN.TSV.GZ", b"id\ttext\n1\tfine\n"),
        ("in.jsonl.gz", b'{"id": "1", "text": "fine"}\n'),
        ("in.ndjson.gz", b'{"id": "1", "text": "fine"}\n'),
        ("in.csv.gz", "id,text\n1,fine\n".encode("utf-16")),
    ],
)
def test_packed_texts_are_read_as_they_are(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(gzip.compress(content))
    assert [row.values for row in open_table(tmp_path / name)] == [{"id": "1", "text": "fine"}]
    assert is_table(name)


def test_a_packed_file_of_several_parts_is_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "in.csv.gz").write_bytes(gzip.compress(b"text\na\n") + gzip.compress(b"b\n") + b"\0" * 10)
    assert [row.values["text"] for row in open_table(tmp_path / "in.csv.gz")] == ["a", "b"]


@pytest.mark.parametrize("damage", [lambda b: b[:-12], lambda b: b + b"rest", lambda b: b[:30] + b"\xff" * 9 + b[39:]])
def test_a_packed_file_that_is_cut_off_or_damaged_is_known_before_its_first_row_is_given(
    tmp_path: Path, damage
) -> None:
    lines = "".join(f"{n},{n * n}\n" for n in range(500))
    (tmp_path / "in.csv.gz").write_bytes(damage(gzip.compress(f"id,text\n{lines}".encode())))
    with pytest.raises(InvalidInput, match="cut off or damaged as a gzip file"):
        open_table(tmp_path / "in.csv.gz")


def test_a_bad_byte_in_a_packed_file_is_found_at_its_place_in_the_text(tmp_path: Path) -> None:
    (tmp_path / "in.csv.gz").write_bytes(gzip.compress(b"id,text\n1,fine\n2,caf\xe9\n"))
    with pytest.raises(InvalidInput, match=r"byte 20 \(0xe9\), line 3\. .*--encoding cp1252"):
        open_table(tmp_path / "in.csv.gz")


def test_a_packed_file_may_hold_as_much_as_is_allowed_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "in.csv.gz").write_bytes(gzip.compress(b"text\n" + b"x" * 3_000_000))
    with pytest.raises(InvalidInput, match="more than 2 MB unpacked"):
        open_table(tmp_path / "in.csv.gz", most_bytes=2 * 2**20)
    assert open_table(tmp_path / "in.csv.gz", most_bytes=3 * 2**20).row_count == 1


def test_a_packed_file_without_content_is_empty(tmp_path: Path) -> None:
    (tmp_path / "in.csv.gz").write_bytes(gzip.compress(b""))
    with pytest.raises(InvalidInput, match="is empty"):
        open_table(tmp_path / "in.csv.gz")


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "in.csv").write_bytes(CSV)
    monkeypatch.setattr("sentiment.tables.files.require_content", refused)
    with pytest.raises(InvalidInput, match=r"in\.csv cannot be read \(Permission denied\)"):
        open_table(tmp_path / "in.csv")


def test_a_pipe_and_a_folder_are_there_and_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "in.csv")
    (tmp_path / "in.tsv").mkdir()
    with pytest.raises(InvalidInput, match=r"in\.csv is a pipe, a socket or a device: write what comes"):
        open_table(tmp_path / "in.csv")
    with pytest.raises(InvalidInput, match=r"in\.tsv is a folder: name a file in it"):
        open_table(tmp_path / "in.tsv")
    with pytest.raises(InvalidInput, match="There is no file"):
        open_table(tmp_path / "none.csv")
