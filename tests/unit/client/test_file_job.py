from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from pyarrow import parquet as pq
from typer.testing import CliRunner

import cli.online.classify_file
from cli.main import app
from sentiment.client.bulk import VerdictCounts, classify_rows, row_ids
from sentiment.client.file_job import FileJob, FileJobResult, run_job
from sentiment.client.http import UndertoneClient
from sentiment.errors import InvalidInput, Unavailable
from sentiment.tables import Row
from tests.fake_api import FakeApi

TEXTS = ["I love it", "awful", "", "a table", "good and great"] * 5


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def client(api: FakeApi) -> Iterator[UndertoneClient]:
    with client_of(api) as client:
        yield client


def client_of(api: FakeApi) -> UndertoneClient:
    return UndertoneClient(attempts=2, sleep=lambda _: None, transport=httpx.WSGITransport(api))


def csv_of(path: Path, texts: list[str], extra: str = "id") -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([[extra, "text"], *enumerate(texts, 1)])
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def run(job: FileJob, client: UndertoneClient, **options: Any) -> FileJobResult:
    return run_job(job, client, lambda *_: None, **options)


class Killed(BaseException):
    """What a kill looks like from inside: nothing after it runs."""


def killing_after(rows: int) -> Any:
    def progress(tally: VerdictCounts, total: int) -> None:
        if tally.rows >= rows:
            raise Killed

    return progress


def test_every_row_is_in_the_result_or_among_the_rejected(tmp_path: Path, client: UndertoneClient) -> None:
    job = FileJob(csv_of(tmp_path / "in.csv", TEXTS), tmp_path / "out.csv", batch_rows=4)
    outcome = run(job, client)
    rows, rejected = read_csv(job.target), [json.loads(line) for line in job.rejected.read_text().splitlines()]
    assert sorted([int(row["id"]) for row in rows] + [line["row"] for line in rejected]) == list(range(1, 26))
    assert rejected[0] == {"row": 3, "reason": "'text' is empty", "values": {"id": "3", "text": ""}}
    assert (outcome.counts.classified, outcome.counts.rejected) == (20, 5)
    assert [(row["label"], row["model_version"]) for row in rows[:2]] == [("positive", "7"), ("negative", "7")]
    assert float(rows[0]["p_positive"]) == pytest.approx(0.93)


@pytest.mark.parametrize("source_ending", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("target_ending", ["csv", "jsonl", "parquet"])
def test_every_format_goes_into_every_other(
    tmp_path: Path, client: UndertoneClient, source_ending: str, target_ending: str
) -> None:
    source = csv_of(tmp_path / "first.csv", ["I love it", "awful"])
    if source_ending != "csv":
        run(FileJob(source, tmp_path / f"in.{source_ending}"), client)
        source = tmp_path / f"in.{source_ending}"
    job = FileJob(source, tmp_path / f"out.{target_ending}")
    columns = run(job, client).columns
    second = FileJob(job.target, tmp_path / "check.parquet")
    run(second, client)
    assert pq.read_table(second.target)[columns["label"]].to_pylist() == ["positive", "negative"]


def test_a_killed_run_continues_and_sends_no_finished_row_again(tmp_path: Path, api: FakeApi) -> None:
    job = FileJob(csv_of(tmp_path / "in.csv", TEXTS), tmp_path / "out.csv", batch_rows=5)
    with pytest.raises(Killed), client_of(api) as client:
        run_job(job, client, killing_after(10))
    assert not job.target.exists()
    later = FakeApi()
    with client_of(later) as client:
        outcome = run(job, client)
    assert outcome.resumed_rows == 10
    assert len(later.requests) == 3
    assert len(read_csv(job.target)) == 20
    assert len({*api.texts, *later.texts}) == 20, "a row has one id, however often it is sent"


def test_a_last_line_cut_off_by_a_kill_is_done_again(tmp_path: Path, api: FakeApi) -> None:
    job = FileJob(csv_of(tmp_path / "in.csv", TEXTS), tmp_path / "out.csv", batch_rows=5)
    with pytest.raises(Killed), client_of(api) as client:
        run_job(job, client, killing_after(10))
    content = job.answers.read_bytes()
    job.answers.write_bytes(content[:-20])
    with client_of(api) as client:
        assert run(job, client).resumed_rows == 5
    assert len(read_csv(job.target)) == 20


def test_a_finished_job_asks_nothing_and_knows_its_counts(
    tmp_path: Path, client: UndertoneClient, api: FakeApi
) -> None:
    job = FileJob(csv_of(tmp_path / "in.csv", TEXTS), tmp_path / "out.csv")
    first = run(job, client)
    api.requests.clear()
    again = run(job, client)
    assert again.was_finished
    assert again.counts == first.counts
    assert api.requests == []
    assert not job.answers.exists()


def test_a_target_of_another_input_is_only_replaced_when_asked(tmp_path: Path, client: UndertoneClient) -> None:
    job = FileJob(csv_of(tmp_path / "in.csv", ["good"]), tmp_path / "out.csv")
    run(job, client)
    csv_of(job.source, ["awful"])
    with pytest.raises(InvalidInput, match="--overwrite"):
        run(job, client)
    assert run(job, client, overwrite=True).counts.labels == {"negative": 1}
    assert read_csv(job.target)[0]["label"] == "negative"


def test_a_file_of_someone_else_is_not_replaced(tmp_path: Path, client: UndertoneClient) -> None:
    job = FileJob(csv_of(tmp_path / "in.csv", ["good"]), tmp_path / "out.csv")
    job.target.write_text("mine")
    with pytest.raises(InvalidInput, match="exists and was not written"):
        run(job, client)
    with pytest.raises(InvalidInput, match="the input itself"):
        run(FileJob(job.source, job.source), client, overwrite=True)
    assert job.target.read_text() == "mine"


def test_two_runs_do_not_write_the_same_target(tmp_path: Path, client: UndertoneClient) -> None:
    job = FileJob(csv_of(tmp_path / "in.csv", TEXTS), tmp_path / "out.csv")

    def second_run(tally: VerdictCounts, total: int) -> None:
        with pytest.raises(InvalidInput, match="Another run"):
            run(job, client)

    run_job(job, client, second_run)
    assert len(read_csv(job.target)) == 20


def test_columns_of_the_file_are_kept_where_they_bear_a_name_that_is_added(
    tmp_path: Path, client: UndertoneClient
) -> None:
    job = FileJob(csv_of(tmp_path / "in.csv", ["good"], extra="label"), tmp_path / "out.csv")
    outcome = run(job, client)
    assert outcome.columns["label"] == "predicted_label"
    assert read_csv(job.target)[0] | {"label": "1", "predicted_label": "positive"} == read_csv(job.target)[0]


def test_a_platform_that_goes_away_stops_the_run_and_keeps_what_is_done(tmp_path: Path, api: FakeApi) -> None:
    job = FileJob(csv_of(tmp_path / "in.csv", TEXTS), tmp_path / "out.csv", batch_rows=5)

    def away_later(tally: VerdictCounts, total: int) -> None:
        if tally.rows == 5:
            api.failures = [(503, {})] * 100

    with pytest.raises(Unavailable), client_of(api) as client:
        run_job(job, client, away_later)
    api.failures = []
    with client_of(api) as client:
        assert run(job, client).resumed_rows >= 5
    assert len(read_csv(job.target)) == 20


def test_a_row_that_spoils_its_request_is_found_and_the_others_succeed() -> None:
    class Fussy(FakeApi):
        def _item(self, item: dict[str, Any]) -> dict[str, Any]:
            if item["text"] == "poison":
                raise InvalidInput("the body cannot be read", "body")
            return super()._item(item)

    rows = [Row(number, {"text": "poison" if number == 6 else "good"}) for number in range(1, 12)]
    with client_of(Fussy()) as client:
        verdicts = [v for batch in classify_rows(client, rows, "text", row_ids("x")) for v in batch]
    assert [v.number for v in verdicts if v.reason] == [6]
    assert [v.number for v in verdicts] == list(range(1, 12))


def test_a_row_with_a_passing_error_is_sent_again() -> None:
    class Moody(FakeApi):
        moods = 2

        def _item(self, item: dict[str, Any]) -> dict[str, Any]:
            if item["text"] == "slow" and self.moods:
                self.moods -= 1
                return {"error": {"code": "unavailable", "message": "not now", "field": None}, "id": item["id"]}
            return super()._item(item)

    api, waits = Moody(), []
    rows = [Row(1, {"text": "slow"}), Row(2, {"text": "good"})]
    with client_of(api) as client:
        ((first, second),) = classify_rows(client, rows, "text", row_ids("x"), sleep=waits.append)
    assert first.values is not None
    assert second.values is not None
    assert waits == [0.5, 1.0]
    assert len(api.texts) == 2


def test_values_that_are_no_text_are_rejected_with_what_they_are(client: UndertoneClient) -> None:
    rows = [Row(1, {"text": 5}), Row(2, {"other": "x"}), Row(3, {}, "is not JSON")]
    ((one, two, three),) = classify_rows(client, rows, "text", row_ids("x"))
    assert one.reason == "'text' holds 5, not text"
    assert two.reason == "has no 'text'"
    assert three.reason == "is not JSON"


def test_ids_depend_on_where_a_row_comes_from_and_on_nothing_else() -> None:
    assert row_ids("a", "text")(3) == row_ids("a", "text")(3)
    assert (
        len({row_ids("a", "text")(3), row_ids("a", "body")(3), row_ids("b", "text")(3), row_ids("at", "ext")(3)}) == 4
    )


@pytest.fixture
def command(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    def connect(url: str | None, api_key: str | None, attempts: int) -> UndertoneClient:
        transport = httpx.WSGITransport(api)
        return UndertoneClient(url or "http://api", api_key, attempts=1, sleep=lambda _: None, transport=transport)

    monkeypatch.setattr(cli.online.classify_file, "connect", connect)
    return app


def test_the_command_ends_well_and_says_what_was_rejected(tmp_path: Path, command: typer.Typer) -> None:
    source, out = csv_of(tmp_path / "in.csv", TEXTS), tmp_path / "out.parquet"
    result = CliRunner().invoke(command, ["classify-file", str(source), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "5 rows could not be classified" in result.output
    assert pq.read_table(out).num_rows == 20
    assert (
        "An earlier run has finished this already"
        in CliRunner().invoke(command, ["classify-file", str(source), "-o", str(out)]).output
    )


def test_the_command_tells_errors_in_one_line(tmp_path: Path, command: typer.Typer) -> None:
    source = csv_of(tmp_path / "in.csv", TEXTS)
    result = CliRunner().invoke(command, ["classify-file", str(source), "-c", "body", "-o", str(tmp_path / "out.csv")])
    assert result.exit_code == 1
    assert "Its columns are: 'id', 'text'" in result.output
    assert "Traceback" not in result.output


def test_the_command_says_how_to_go_on_when_the_platform_went_away(
    tmp_path: Path, command: typer.Typer, api: FakeApi
) -> None:
    source, out = csv_of(tmp_path / "in.csv", TEXTS), str(tmp_path / "out.csv")
    api.failures = [(503, {})] * 100
    result = CliRunner().invoke(command, ["classify-file", str(source), "-o", out])
    assert result.exit_code == 1
    assert "run the same command again to continue" in result.output
    api.failures = []
    assert CliRunner().invoke(command, ["classify-file", str(source), "-o", out]).exit_code == 0


def test_a_folder_that_does_not_exist_is_named_and_not_made(tmp_path: Path, client: UndertoneClient) -> None:
    source = csv_of(tmp_path / "in.csv", ["good"])
    with pytest.raises(InvalidInput, match=f"no folder {tmp_path}/typo"):
        run(FileJob(source, tmp_path / "typo" / "out.csv"), client)
    assert not (tmp_path / "typo").exists()
    with pytest.raises(InvalidInput, match="cannot be written"):
        run(FileJob(source, Path("/proc/out.csv")), client)


def test_one_row_is_not_called_rows(tmp_path: Path, command: typer.Typer) -> None:
    source, out = csv_of(tmp_path / "in.csv", ["good", ""]), str(tmp_path / "out.csv")
    said = CliRunner().invoke(command, ["classify-file", str(source), "-o", out]).output
    assert "1 row classified" in said
    assert "1 row could not be classified" in said
