"""`undertone classify-file` on the files that people have: how they are read, and what of them arrives."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest
import typer
from pyarrow import parquet as pq
from typer.testing import CliRunner

import cli.online.classify_file
from cli.main import app
from sentiment.client.bulk import row_ids
from sentiment.client.file_job import FileJob, FileJobResult, run_job
from sentiment.client.http import UndertoneClient
from sentiment.errors import InvalidInput
from sentiment.tables import open_table
from tests.fake_api import FakeApi
from tests.tiny_workbook import workbook

TEXTS = ["=I love it", "@bob it is awful", "'+1 good", "-1", "two\nlines, good", 'so "good"']


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


def client_of(api: FakeApi) -> UndertoneClient:
    return UndertoneClient(attempts=2, sleep=lambda _: None, transport=httpx.WSGITransport(api))


@pytest.fixture
def client(api: FakeApi) -> Iterator[UndertoneClient]:
    with client_of(api) as client:
        yield client


@pytest.fixture
def command(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    monkeypatch.setattr(cli.online.classify_file, "connect", lambda *_: client_of(api))
    return app


def made(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def run(job: FileJob, client: UndertoneClient, **options: Any) -> FileJobResult:
    return run_job(job, client, lambda *_: None, **options)


def rejected(job: FileJob) -> dict[int, str]:
    return {line["row"]: line["reason"] for line in map(json.loads, job.rejected.read_text().splitlines())}


@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_no_text_of_a_result_is_a_formula_and_each_is_read_back_equal(
    tmp_path: Path, client: UndertoneClient, ending: str
) -> None:
    source = made(tmp_path / "in.jsonl", "".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    job = FileJob(source, tmp_path / f"out.{ending}")
    run(job, client)
    assert [row.values["text"] for row in open_table(job.target)] == TEXTS
    cells = [line for line in job.target.read_text().splitlines() if line[:1] in ("=", "+", "-", "@")]
    assert cells == []


def test_numbers_beside_the_texts_of_a_csv_are_untouched(tmp_path: Path, client: UndertoneClient) -> None:
    job = FileJob(made(tmp_path / "in.csv", "n,text\n-5,-1\n+2.5,+1 good\n"), tmp_path / "out.csv")
    run(job, client)
    assert [line.split(",")[:2] for line in job.target.read_text().splitlines()[1:]] == [
        ["-5", "'-1"],
        ["+2.5", "'+1 good"],
    ]


def test_a_tsv_never_makes_one_row_of_three_tweets(tmp_path: Path, client: UndertoneClient, api: FakeApi) -> None:
    source = made(tmp_path / "in.tsv", 'id\ttext\n1\t"I love it\n2\tawful\n3\tgood"\n')
    assert run(FileJob(source, tmp_path / "out.csv"), client).counts.rows == 3
    assert len(api.texts) == 3


def test_a_quote_left_open_costs_one_row(tmp_path: Path, client: UndertoneClient) -> None:
    job = FileJob(made(tmp_path / "in.csv", 'id,text\n1,"good\n2,awful\n3,"fine"\n'), tmp_path / "out.csv")
    assert run(job, client).counts.classified == 2
    assert "(line 2): a quote is left open there" in rejected(job)[1]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("in.csv.gz", gzip.compress(b"text\ngood\nawful\n")),
        ("in.tsv.gz", gzip.compress(b"id\ttext\n1\tgood\n2\tawful\n")),
        ("in.jsonl.gz", gzip.compress(b'{"text": "good"}\n{"text": "awful"}\n')),
        ("in.xlsx", workbook([["id", "text"], [1, "good"], [2, "awful"]])),
        ("in.csv", "sep=;\r\nid;text\r\n1;good\r\n2;awful\r\n".encode("utf-16")),
    ],
    ids=lambda part: part if isinstance(part, str) else "packed",  # gzip packs the time in: names would never be equal
)
def test_packed_files_workbooks_and_marked_encodings_are_classified(
    tmp_path: Path, client: UndertoneClient, name: str, content: bytes
) -> None:
    job = FileJob(made(tmp_path / name, content), tmp_path / "out.parquet")
    assert run(job, client).counts.labels == {"positive": 1, "negative": 1}


def test_large_integers_beside_fractions_reach_parquet_and_nothing_that_was_done_is_lost(
    tmp_path: Path, client: UndertoneClient
) -> None:
    numbers = ["9007199254740993", "0.5", "123456789012345678901234567890"]
    lines = "".join(f'{{"text": "good {n}", "n": {n}}}\n' for n in numbers)
    job = FileJob(made(tmp_path / "in.jsonl", lines), tmp_path / "out.parquet")
    run(job, client)
    assert pq.read_table(job.target)["n"].to_pylist() == numbers


def test_what_the_format_cannot_hold_is_known_before_the_first_text_is_sent(
    tmp_path: Path, client: UndertoneClient, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise InvalidInput("The column 'n' cannot be written as Parquet", "out")

    monkeypatch.setattr("sentiment.tables.parquet_files._arrow_array", fails)
    job = FileJob(made(tmp_path / "in.jsonl", '{"text": "good", "n": 1}\n'), tmp_path / "out.parquet")
    with pytest.raises(InvalidInput, match="column 'n' cannot be written"):
        run(job, client)
    assert api.requests == []
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_a_bad_cell_of_a_parquet_file_is_one_rejected_row_and_all_else_arrives(
    tmp_path: Path, client: UndertoneClient
) -> None:
    note = pa.array([b"fine", b"\xff", b"fine"], pa.binary()).view(pa.string())
    late = pa.array([253_402_300_800_000_000, None, 2**62], pa.timestamp("us", "Mars/Phobos"))
    pq.write_table(pa.table({"text": ["good", "awful", "a table"], "note": note, "at": late}), tmp_path / "in.parquet")
    job = FileJob(tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert run(job, client).counts.classified == 2
    assert rejected(job) == {2: "'note' is not UTF-8 at byte 0 (0xff)"}
    after = pq.read_table(job.target)["at"].combine_chunks()
    assert after.equals(pa.array([253_402_300_800_000_000, 2**62], late.type))


def test_a_damaged_parquet_file_is_refused_before_the_first_text_is_sent(
    tmp_path: Path, client: UndertoneClient, api: FakeApi
) -> None:
    pq.write_table(pa.table({"text": [f"good {n * n}" for n in range(3000)]}), tmp_path / "in.parquet")
    content = bytearray((tmp_path / "in.parquet").read_bytes())
    content[5000:5100] = b"\xff" * 100
    (tmp_path / "in.parquet").write_bytes(content)
    with pytest.raises(InvalidInput, match=r"in\.parquet"):
        run(FileJob(tmp_path / "in.parquet", tmp_path / "out.csv"), client)
    assert api.requests == []


def test_another_delimiter_is_another_job(tmp_path: Path, client: UndertoneClient) -> None:
    source = made(tmp_path / "in.csv", "a;text,text\ngood;awful,awful\n")
    run(FileJob(source, tmp_path / "out.csv"), client)
    with pytest.raises(InvalidInput, match="another file, column, encoding, delimiter or quoting"):
        run(FileJob(source, tmp_path / "out.csv", delimiter=","), client)
    assert run(FileJob(source, tmp_path / "out.csv", delimiter="auto"), client).was_finished


def test_a_state_from_before_there_were_delimiters_is_taken_up(tmp_path: Path, client: UndertoneClient) -> None:
    job = FileJob(made(tmp_path / "in.csv", "text\ngood\n"), tmp_path / "out.csv")
    run(job, client)
    state = json.loads(job.state.read_text())
    job.state.write_text(json.dumps({name: state[name] for name in state if name not in ("delimiter", "quoting")}))
    assert run(job, client).was_finished


def test_ids_of_rows_are_those_from_before_there_were_delimiters(
    tmp_path: Path, client: UndertoneClient, api: FakeApi
) -> None:
    source = made(tmp_path / "in.csv", "text\ngood\n")
    run(FileJob(source, tmp_path / "out.csv"), client)
    run(FileJob(source, tmp_path / "other.csv", delimiter="auto"), client)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    assert list(api.texts) == [row_ids(digest, "text", "utf-8")(1)]


def test_a_source_that_changes_meanwhile_mixes_no_answers(tmp_path: Path, client: UndertoneClient) -> None:
    job = FileJob(made(tmp_path / "in.csv", "text\ngood\nawful\n"), tmp_path / "out.csv")

    def change(*_: object) -> None:
        made(job.source, "text\nawful\n")

    with pytest.raises(InvalidInput, match="has changed since this run began"):
        run_job(job, client, change)
    assert not job.target.exists()


def test_a_folder_in_the_targets_place_is_known_before_the_first_text_is_sent(
    tmp_path: Path, client: UndertoneClient, api: FakeApi
) -> None:
    (tmp_path / "out.csv").mkdir()
    with pytest.raises(InvalidInput, match="is a folder"):
        run(FileJob(made(tmp_path / "in.csv", "text\ngood\n"), tmp_path / "out.csv"), client, overwrite=True)
    assert api.requests == []


def test_the_command_takes_delimiter_and_quoting_and_says_how_it_read(tmp_path: Path, command: typer.Typer) -> None:
    source, out = made(tmp_path / "in.csv", 'id\x01text\n1\x01"so" good\n'), tmp_path / "out.jsonl"
    options = ["--delimiter", "\x01", "--quoting", "none", "--out", str(out)]
    result = CliRunner().invoke(command, ["classify-file", str(source), *options])
    assert result.exit_code == 0, result.output
    assert json.loads(out.read_text())["text"] == '"so" good'
    assert "in.csv: cells are parted by '\\x01', quotes are plain characters." in result.output


@pytest.mark.parametrize("option", [["--delimiter", ";;"], ["--quoting", "some"]])
def test_the_command_refuses_options_that_can_be_none(tmp_path: Path, command: typer.Typer, option: list[str]) -> None:
    source = made(tmp_path / "in.csv", "text\ngood\n")
    result = CliRunner().invoke(command, ["classify-file", str(source), *option, "--out", str(tmp_path / "out.csv")])
    assert result.exit_code == 2
    assert option[0] in result.output
