"""`undertone predict` over a platform that answers from a word list."""

from __future__ import annotations

import json

import httpx
import pytest
import typer
from typer.testing import CliRunner

import cli.predict
from cli.main import app
from sentiment.client import UndertoneClient
from tests.fake_api import FakeApi


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def command(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    def connect(url: str | None, api_key: str | None, attempts: int) -> UndertoneClient:
        return UndertoneClient("http://api", attempts=1, sleep=lambda _: None, transport=httpx.WSGITransport(api))

    monkeypatch.setattr(cli.predict, "connect", connect)
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
