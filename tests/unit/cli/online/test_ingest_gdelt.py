"""`undertone ingest gdelt` and `gdelt-doc` from the command line to a platform that answers from a word list."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from cli.main import app
from sentiment.client.http import UndertoneClient
from sentiment.ingest import open_source
from tests.fake_api import FakeApi
from tests.gdelt_rows import gkg_row
from tests.gdelt_server import GdeltFiles

STAMPS = ("20260301120000", "20260301121500", "20260301123000")


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    api = FakeApi()

    def connect(url: str | None, api_key: str | None, attempts: int) -> UndertoneClient:
        return UndertoneClient(attempts=attempts, sleep=lambda _: None, transport=httpx.WSGITransport(api))

    monkeypatch.setenv("UNDERTONE_HOME", str(tmp_path / "home"))
    for module in ("ingest_run", "ingest_platform"):
        monkeypatch.setattr(f"cli.online.{module}.connect", connect)
    return api


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> GdeltFiles:
    files = GdeltFiles()
    for stamp in STAMPS:
        files.add(stamp, gkg_row(1, f"I love {stamp}", stamp), gkg_row(2, None, stamp), "broken")
    monkeypatch.setattr("cli.online.ingest_run.open_source", partial(open_source, client=files.client))
    return files


def ingest(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["ingest", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_a_span_of_news_is_kept_and_counted_and_what_is_missing_is_listed(api, files):
    del files.files[f"{STAMPS[1]}.gkg.csv.zip"]
    status, printed, _ = ingest("gdelt", "--from", "2026-03-01T12:00", "--once", "--json")
    told = json.loads(printed.splitlines()[-1])
    told.pop("seconds")
    assert status == 0
    assert told == {
        "name": "gdelt",
        "read": 6,
        "kept": 2,
        "folded": 0,
        "repeated": 0,
        "rejected": 2,
        "deleted": 0,
        "corrected": 0,
        "without_text": 2,
        "gaps": {f"{STAMPS[1]}.gkg.csv.zip": "is not there (404)"},
    }
    item = api.items[f"gdelt:{STAMPS[0]}-1"]
    assert (item["text"], item["source"], item["author"]) == (f"I love {STAMPS[0]}", "gdelt", "herald.example")
    assert item["created_at"] == "2026-03-01T12:00:00.000+00:00"
    assert "tom hale" in item["topics"]


def test_the_same_command_fills_the_gap_and_says_what_is_missing_in_words(api, files):
    held = files.files.pop(f"{STAMPS[1]}.gkg.csv.zip")
    command = ("gdelt", "--from", "2026-03-01T12:00", "--once", "--name", "march")
    _, printed, _ = ingest(*command)
    assert f"Missing: {STAMPS[1]}.gkg.csv.zip is not there (404). Run the same command" in " ".join(printed.split())
    assert "2 had no text." in printed
    files.files[f"{STAMPS[1]}.gkg.csv.zip"] = held
    _, printed, _ = ingest(*command)
    assert "march: 9 read, 3 kept" in printed
    assert "Missing" not in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gdelt", "--from", "soon"), "--from 'soon' is not a time: give a date such as"),
        (("gdelt", "--from", "2026-03-02", "--to", "2026-03-01"), "--to '2026-03-01' is not after --from"),
        (("gdelt", "--feed", "klingon"), "'klingon' is not one of 'english', 'translated', 'both'"),
        (("gdelt-doc", " "), "The query has 0 characters: give 1 to 2,000"),
    ],
)
def test_a_wrong_option_is_named(api, files, arguments, message):
    status, printed, told = ingest(*arguments)
    assert status != 0
    assert message in " ".join((printed + told).replace("\u2502", " ").split())


def test_another_feed_under_the_same_name_is_refused(api, files):
    ingest("gdelt", "--from", "2026-03-01T12:00", "--once")
    status, _, told = ingest("gdelt", "--from", "2026-03-01T12:00", "--once", "--feed", "both")
    assert status != 0
    assert "was started with --feed 'english', now it is asked for with --feed 'both'" in " ".join(told.split())


def test_a_search_is_begun_in_the_platform(api, files):
    status, _, _ = ingest("gdelt-doc", "flood", "--from", "2026-03-01", "--background")
    assert status == 0
    began = api.ingests["gdelt-doc"]
    assert (began["kind"], began["query"], began["from_time"]) == ("gdelt-doc", "flood", "2026-03-01")
