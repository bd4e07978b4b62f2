"""`undertone predict` over a platform that answers from a word list."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
import typer
from typer.testing import CliRunner

import cli.online.classify_file
import cli.online.predict
from cli.main import app
from sentiment.client.http import UndertoneClient
from tests.fake_api import FakeApi


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def command(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    def connect(url: str | None, api_key: str | None, attempts: int) -> UndertoneClient:
        return UndertoneClient("http://api", attempts=1, sleep=lambda _: None, transport=httpx.WSGITransport(api))

    monkeypatch.setattr(cli.online.predict, "connect", connect)
    return app


def test_predict_shows_verdict_and_shares_for_each_text(command: typer.Typer) -> None:
    result = CliRunner().invoke(command, ["predict", "I love this product!", "awful"])
    assert result.exit_code == 0
    for shown in ("Extremely Positive", "Extremely Negative", "93.0%", "version 7"):
        assert shown in result.output


def test_predict_reads_lines_and_prints_json(command: typer.Typer) -> None:
    result = CliRunner().invoke(command, ["predict", "-", "--json"], input="\ufeffgood\r\nawful\n")
    answers = [json.loads(line) for line in result.output.splitlines()]
    assert [(answer["line"], answer["label"]) for answer in answers] == [(1, "positive"), (2, "negative")]


def test_a_text_that_is_no_line_has_no_number(command: typer.Typer) -> None:
    assert "line" not in json.loads(CliRunner().invoke(command, ["predict", "good", "--json"]).output)


@pytest.mark.parametrize("lines", ["\n\ngood\n \nawful\n\n", "\n" * 3, "good\n" * 200 + "\n" * 201 + "good\n"])
def test_blank_lines_keep_their_place_and_are_not_sent(command: typer.Typer, api: FakeApi, lines: str) -> None:
    result = CliRunner().invoke(command, ["predict", "-", "--json"], input=lines)
    answers = [json.loads(line) for line in result.output.splitlines()]
    assert [answer["line"] for answer in answers] == list(range(1, len(lines.splitlines()) + 1))
    assert ["label" in answer for answer in answers] == [bool(line.strip()) for line in lines.splitlines()]
    assert {answer["error"]["message"] for answer in answers if "error" in answer} <= {
        f"line {number} is empty" for number in range(1, len(answers) + 1)
    }
    assert len(api.texts) == len([line for line in lines.splitlines() if line.strip()])
    assert result.exit_code == 0


def test_a_blank_line_has_a_card_that_says_so(command: typer.Typer) -> None:
    assert "line 2 is empty" in CliRunner().invoke(command, ["predict", "-"], input="good\n\n").output


def test_lines_in_another_encoding_are_refused_by_its_name(command: typer.Typer) -> None:
    result = CliRunner().invoke(command, ["predict", "-"], input="good\ncaf\xe9\n".encode("cp1252"))
    assert result.exit_code == 1
    said = " ".join(result.stderr.split())
    assert "line 2 of standard input is not UTF-8 (byte 0xe9)" in said
    assert "iconv" in said


def test_predict_shows_markup_as_it_is_and_fails_when_a_text_is_refused(command: typer.Typer) -> None:
    result = CliRunner().invoke(command, ["predict", "good [red]text[/red]", " "])
    assert result.exit_code == 1
    assert "[red]text[/red]" in result.output
    assert "at least 1 character" in result.output


@pytest.mark.parametrize(
    ("field", "message", "shown"),
    [
        ("lines.0.text", "lines.0.text: must not be empty", "text: must not be empty"),
        ("lines.0", "lines.0 has more than 32 bytes", "text has more than 32 bytes"),
        ("text", "text has lines.0 in it", "text has lines.0 in it"),
    ],
)
def test_a_refused_text_is_not_named_by_its_place_in_the_stream(
    field: str, message: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = {"error": {"code": "invalid_input", "message": message, "field": field}, "id": None}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, text=json.dumps(refusal) + "\n"))
    monkeypatch.setattr(
        cli.online.predict, "connect", lambda *_: UndertoneClient("http://api", attempts=1, transport=transport)
    )
    assert shown in CliRunner().invoke(app, ["predict", ""]).output.replace("│", "")
    error = json.loads(CliRunner().invoke(app, ["predict", "", "--json"]).output)["error"]
    assert error == {"code": "invalid_input", "message": shown, "field": "text"}


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (["-1 out of 10"], ["-1 out of 10"]),
        (["--", "-1 out of 10"], ["-1 out of 10"]),
        (["good", "-1 out of 10", "--json", "bad"], ["good", "-1 out of 10", "bad"]),
        (["-5"], ["-5"]),
        (["-.5 stars", "-:(", "---", "-_-", "-€5", "-öde"], ["-.5 stars", "-:(", "---", "-_-", "-€5", "-öde"]),
        (["-hate it"], ["-hate it"]),
        (["-h is help"], ["-h is help"]),
        (["--great, really"], ["--great, really"]),
        (["--json is a format"], ["--json is a format"]),
        (["--", "--great", "--json", "-h"], ["--great", "--json", "-h"]),
        (["-a\tb", "-a\u00a0b"], ["-a\tb", "-a\u00a0b"]),
        (["-1 out of 10", "--", "-2 out of 10"], ["-1 out of 10", "-2 out of 10"]),
        (["--url=http://a b", "good"], ["good"]),
    ],
)
def test_a_text_may_begin_with_a_dash(
    command: typer.Typer, api: FakeApi, arguments: list[str], texts: list[str]
) -> None:
    result = CliRunner().invoke(command, ["predict", *arguments])
    assert result.exit_code == 0, result.output
    assert list(api.texts.values()) == texts


@pytest.mark.parametrize("key", ["-1", "-a key", "--odd key"])
def test_the_value_of_an_option_may_begin_with_a_dash(api: FakeApi, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    keys = []

    def connect(url: str | None, api_key: str | None, attempts: int) -> UndertoneClient:
        keys.append(api_key)
        return UndertoneClient("http://api", attempts=1, sleep=lambda _: None, transport=httpx.WSGITransport(api))

    monkeypatch.setattr(cli.online.predict, "connect", connect)
    assert CliRunner().invoke(app, ["predict", "good", "--api-key", key]).exit_code == 0
    assert keys == [key]


def test_lines_of_standard_input_and_texts_with_a_dash_keep_their_order(command: typer.Typer, api: FakeApi) -> None:
    result = CliRunner().invoke(command, ["predict", "-1 first", "-", "-2 last"], input="-h\n--json\n")
    assert result.exit_code == 0
    assert list(api.texts.values()) == ["-1 first", "-h", "--json", "-2 last"]


@pytest.mark.parametrize("option", ["--urll", "--great", "-hate", "-x", "--urll=a b"])
def test_an_option_that_is_not_known_is_told_and_not_classified(
    command: typer.Typer, api: FakeApi, option: str
) -> None:
    result = CliRunner().invoke(command, ["predict", "good", option])
    assert (result.exit_code, api.texts) == (2, {})
    said = " ".join(result.output.replace("│", " ").split())
    assert "No such option: -" in said
    assert "Put a text that looks like an option after --, as in: undertone predict -- --great" in said


@pytest.mark.parametrize("arguments", [["-o", "-out.csv", "--", "-in.csv"], ["--out=-out.csv", "--", "-in.csv"]])
def test_a_file_whose_name_begins_with_a_dash_stands_behind_two(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str]
) -> None:
    def connect(url: str | None, api_key: str | None, attempts: int) -> UndertoneClient:
        return UndertoneClient("http://api", attempts=1, sleep=lambda _: None, transport=httpx.WSGITransport(api))

    monkeypatch.setattr(cli.online.classify_file, "connect", connect)
    monkeypatch.chdir(tmp_path)
    Path("-in.csv").write_text("text\n-1 out of 10\n")
    result = CliRunner().invoke(app, ["classify-file", *arguments])
    assert result.exit_code == 0, result.output
    assert list(api.texts.values()) == ["-1 out of 10"]
    assert len(Path("-out.csv").read_text().splitlines()) == 2
