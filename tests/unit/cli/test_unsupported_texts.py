"""Texts that the model cannot read, where people meet their answers: command, files, page. The API's is `fremd`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import typer
from pyarrow import parquet as pq
from typer.testing import CliRunner

import cli.online.classify_file
import cli.online.predict
from cli.main import app
from gradio_ui.results import results_table
from gradio_ui.tabs.try_it import answer_card, explanation
from sentiment.client.bulk import Verdict, VerdictCounts, is_supported
from sentiment.client.file_job import FileJob, run_job
from sentiment.client.http import UndertoneClient
from sentiment.language import unsupported_words
from sentiment.predictor import Predictor
from sentiment.tables import Row, open_table
from tests.fake_api import FakeApi
from tests.tiny_model import build_tiny_version
from tests.tiny_scoring import SCORING
from train_jobs.runtime.locations import Location
from train_jobs.score.job import Totals
from train_jobs.score.shards import cut_file, read_result, score_rows, write_shard

GERMAN = "Das ist mir alles fremd und neu"


@pytest.fixture
def client() -> Iterator[UndertoneClient]:
    with UndertoneClient(attempts=1, sleep=lambda _: None, transport=httpx.WSGITransport(FakeApi())) as client:
        yield client


@pytest.fixture
def command(client: UndertoneClient, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    for module in (cli.online.predict, cli.online.classify_file):
        monkeypatch.setattr(module, "connect", lambda url, api_key, attempts: client)
    return app


def test_the_words_for_people_name_the_language_where_it_is_told() -> None:
    assert unsupported_words("de").endswith("It seems to be in German.")
    assert "seems" not in unsupported_words(None)


def test_the_command_says_that_a_text_is_not_supported_instead_of_a_sentiment(command: typer.Typer) -> None:
    result = CliRunner().invoke(command, ["predict", GERMAN])
    assert result.exit_code == 0
    assert "Unsupported" in result.output
    assert "It seems to be in German." in " ".join(result.output.replace("│", " ").split())
    assert "sentiment +" not in result.output
    assert "%" not in result.output


def test_the_commands_json_has_both_fields(command: typer.Typer) -> None:
    result = CliRunner().invoke(command, ["predict", GERMAN, "so good", "--json"])
    answers = [json.loads(line) for line in result.output.splitlines()]
    assert [(answer["language"], answer["supported"]) for answer in answers] == [("de", False), ("en", True)]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_classified_files_have_columns_for_it_and_a_sentence(tmp_path: Path, command: typer.Typer, ending: str) -> None:
    source, target = tmp_path / "in.csv", tmp_path / f"out.{ending}"
    source.write_text(f"text\nso good\n{GERMAN}\n")
    result = CliRunner().invoke(command, ["classify-file", str(source), "--out", str(target)])
    assert result.exit_code == 0
    assert "1 row counted as neutral because the model cannot read them" in " ".join(result.stderr.split())
    rows = [row.values for row in open_table(target)]
    assert [row["language"] for row in rows] == ["en", "de"]
    assert [str(row["supported"]).lower() for row in rows] == ["true", "false"]
    assert [row["label"] for row in rows] == ["positive", "neutral"]
    if ending == "parquet":
        assert str(pq.read_schema(target).field("supported").type) == "bool"


def test_a_file_that_was_finished_says_again_how_many_were_not_read(tmp_path: Path, client: UndertoneClient) -> None:
    source = tmp_path / "in.csv"
    source.write_text(f"text\n{GERMAN}\n")
    job = FileJob(source, tmp_path / "out.csv")
    assert run_job(job, client, lambda *_: None).counts.unsupported == 1
    again = run_job(job, client, lambda *_: None)
    assert (again.was_finished, again.counts.unsupported) == (True, 1)
    state = json.loads(job.state.read_text())
    del state["tally"]["unsupported"]  # as earlier releases wrote it
    job.state.write_text(json.dumps(state))
    assert run_job(job, client, lambda *_: None).counts.unsupported == 0


def test_a_row_that_an_earlier_release_answered_counts_as_supported() -> None:
    counts = VerdictCounts()
    counts.add(Verdict(1, {"label": "positive", "sentiment": 0.9, "model_version": 7}))
    counts.add(Verdict(2, {"label": "neutral", "sentiment": 0.0, "model_version": 7, "supported": False}))
    assert (counts.classified, counts.unsupported) == (2, 1)
    assert is_supported({})


def test_scored_files_have_the_columns_and_the_sums_count_them(tmp_path: Path) -> None:
    predictor = Predictor.load(build_tiny_version(tmp_path / "version"), threads=1)
    source = tmp_path / "texts.jsonl"
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in ("good day", "この店は本当に")))
    (shard,) = cut_file(source, "texts", 0, 10, "text", "utf-8")
    out = Location(str(tmp_path / "out"))
    result = write_shard(shard, score_rows(predictor, shard.rows, SCORING), out, ".parquet")
    assert [row.values["supported"] for row in open_table(tmp_path / "out" / result.output)] == [True, False]
    assert (result.unsupported, Totals.of([result]).plain()["unsupported"]) == (1, 1)
    old = json.loads(result.to_json())
    del old["unsupported"]
    assert read_result(json.dumps(old).encode()).unsupported == 0


def test_the_page_says_it_in_words_and_shows_no_shares(client: UndertoneClient) -> None:
    card = answer_card(client, GERMAN)
    assert "Not supported" in card
    assert "It seems to be in German. It counts as neutral" in card
    assert "% sure" not in card
    assert "93.0% sure" in answer_card(client, "so good")


def test_the_page_shows_no_words_that_moved_an_answer_which_none_moved(client: UndertoneClient) -> None:
    assert explanation(client, GERMAN)["visible"] is False
    assert explanation(client, "so good")["visible"] is True


def test_the_table_of_a_batch_marks_rows_that_were_not_read() -> None:
    values = {"label": "neutral", "score": 0.4, "sentiment": 0.0, "language": "de", "supported": False}
    table = results_table([(Row(1, {"text": "fremd"}), Verdict(1, values))], "text")
    assert "not supported" in table
    assert "German" in table
    known = values | {"supported": True, "language": None}
    assert "not supported" not in results_table([(Row(1, {"text": "so"}), Verdict(1, known))], "text")
