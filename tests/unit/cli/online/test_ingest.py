"""`undertone ingest` from the command line to a platform that answers from a word list."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from cli.main import app
from sentiment.client.http import UndertoneClient
from sentiment.ingest import HttpDelivery
from sentiment.sources import SourceText
from tests.fake_api import FakeApi
from tests.fake_jetstream import AUTHOR, FakeJetstream

CSV = "text,date,user,tags,label\n" + "".join(
    f"{text},Mon May 11 03:1{n}:00 UTC 2009,ann,a;b,{label}\n"
    for n, (text, label) in enumerate([("I love it", 4), ("awful", 0), ("", 4), ("I love it!", 4)])
)


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def platform(api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands reach the fake, in this process, and keep what they keep in a home of the test's own."""
    monkeypatch.setenv("UNDERTONE_HOME", str(tmp_path / "home"))
    connect_to(httpx.WSGITransport(api), monkeypatch)


def connect_to(transport: httpx.BaseTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(url: str | None, api_key: str | None, attempts: int) -> UndertoneClient:
        return UndertoneClient(api_key=api_key, attempts=attempts, sleep=lambda _: None, transport=transport)

    for module in ("ingest_run", "ingest_platform"):
        monkeypatch.setattr(f"cli.online.{module}.connect", connect)


@pytest.fixture
def tweets(tmp_path: Path) -> Path:
    path = tmp_path / "tweets.csv"
    path.write_text(CSV)
    return path


def ingest(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["ingest", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


COLUMNS = ("--time-column", "date", "--author-column", "user", "--topic-column", "tags")


def test_the_last_line_counts_what_was_read_kept_folded_and_rejected(platform, tweets, api):
    status, printed, _ = ingest("csv", tweets, *COLUMNS, "--json")
    told = json.loads(printed.splitlines()[-1])
    assert status == 0
    assert told.pop("seconds") >= 0
    assert told == {
        "name": "tweets",
        "read": 4,
        "kept": 3,
        "folded": 1,
        "repeated": 0,
        "rejected": 1,
        "deleted": 0,
        "corrected": 0,
        "without_text": 0,
    }
    [item] = [item for item in api.items.values() if item["text"] == "awful"]
    assert item == {
        "text": "awful",
        "id": item["id"],
        "created_at": "2009-05-11T03:11:00.000+00:00",
        "author": "ann",
        "topics": ["a", "b"],
        "source": "tweets",
    }


def test_the_same_command_again_sends_nothing_and_says_so(platform, tweets, api):
    ingest("csv", tweets, *COLUMNS)
    api.requests.clear()
    status, printed, _ = ingest("csv", tweets, *COLUMNS)
    assert status == 0
    assert api.requests == []
    assert "tweets: 4 read, 3 kept, 1 of these folded, 1 rejected" in printed
    assert "Finished earlier; nothing was left to do." in printed
    assert "rejected.jsonl lists the rejected records, with the reasons." in printed


def test_a_new_beginning_keeps_no_text_twice(platform, tweets, api):
    ingest("csv", tweets, *COLUMNS)
    before = dict(api.items)
    assert ingest("csv", tweets, *COLUMNS, "--restart")[0] == 0
    assert api.items == before


def test_a_busy_platform_is_waited_for(platform, tweets, api):
    api.failures = [(503, {"Retry-After": "0"}), (429, {"Retry-After": "0"})]
    assert ingest("csv", tweets)[0] == 0
    assert len(api.texts) == 3


def test_true_labels_become_feedback_on_their_texts(platform, tweets, api):
    labelled = ("--label-column", "label", "--labels", "0=negative,4=positive")
    assert ingest("csv", tweets, *COLUMNS, *labelled)[0] == 0
    assert {api.texts[id_]: label for id_, label in api.feedback.items()} == {
        "I love it": "positive",
        "awful": "negative",
        "I love it!": "positive",
    }


def test_standard_input_is_read_as_it_comes(platform, api, monkeypatch, tmp_path):
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b'{"body": "I love it", "n": 1}\nbroken\n')
    with path.open() as file:
        monkeypatch.setattr("cli.online.ingest_run.stdin_descriptor", file.fileno)
        status, printed, _ = ingest("stdin", "--name", "posts", "-c", "body", "--id-column", "n", "--json")
    assert status == 0
    assert json.loads(printed)["rejected"] == 1
    assert list(api.texts) == ["posts:1"]


def test_a_file_of_which_nothing_can_be_kept_ends_with_status_1(platform, tmp_path):
    path = tmp_path / "empty.csv"
    path.write_text("text,n\n,1\n")
    status, printed, _ = ingest("csv", path)
    assert status == 1
    assert "1 rejected" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--time-column", "when"),
            "no column 'when' (--time-column). Its columns are: 'text', 'date', 'user'",
        ),
        (("--label-column", "label"), "row 1 has the label 4: say what the numbers mean"),
        (("--speed", "fast"), "--speed 'fast' is not a speed"),
        (("--name", "a/b"), "--name 'a/b' cannot name an ingest"),
        (("--time-column", "date", "--time-zone", "Nowhere"), "--time-zone 'Nowhere' is not a time zone"),
        (("--time-column", "date", "--time-format", "%H"), "--time-format '%H' is not a form of dates"),
    ],
)
def test_a_wrong_option_is_told_in_one_line_with_its_name(platform, tweets, api, arguments, message):
    status, _, told = ingest("csv", tweets, *arguments)
    assert status == 1
    assert message in told
    assert api.texts == {}


def test_a_platform_that_is_away_is_told_with_the_way_to_start_it(tweets, tmp_path, monkeypatch):
    monkeypatch.setenv("UNDERTONE_HOME", str(tmp_path / "home"))

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    connect_to(httpx.MockTransport(refuse), monkeypatch)
    status, _, told = ingest("csv", tweets)
    assert status == 1
    assert "Nothing answers at http://127.0.0.1:8000" in told
    assert "undertone up" in told


def test_a_delivery_says_for_each_text_why_it_was_refused(api):
    with UndertoneClient(transport=httpx.WSGITransport(api)) as client:
        delivery = HttpDelivery(client, "t", pool=None)  # type: ignore[arg-type]  # nothing is put into it
        texts = [("t:1", "good"), ("t:2", "x" * 50_001), ("t:1", "other")]
        reasons = delivery._send([SourceText(id_, text) for id_, text in texts])
    assert reasons[0] is None
    assert "longer than 50000" in reasons[1]
    assert "already names another text" in reasons[2]


def test_an_ingest_in_the_background_is_handed_to_the_platform(platform, api):
    asked = ("csv", "tweets.csv", "--time-column", "date", "--speed", "60x", "--background")
    status, printed, _ = ingest(*asked)
    assert status == 0
    assert "tweets  csv   starting" in printed
    assert api.ingests["tweets"]["time_column"] == "date"
    assert api.ingests["tweets"]["restart"] is False
    for command, state in (("pause", "paused"), ("start", "starting"), ("stop", "stopped")):
        assert ingest(command, "tweets")[0] == 0
        status, printed, _ = ingest("list", "--json")
        assert [(each["name"], each["state"]) for each in json.loads(printed)] == [("tweets", state)]


def test_a_list_without_ingests_says_how_to_begin_one(platform):
    assert "undertone ingest csv FILE --name NAME" in ingest("list")[1]


def test_an_ingest_that_is_not_there_is_told_by_its_name(platform):
    status, _, told = ingest("pause", "nowhere")
    assert status == 1
    assert "'nowhere'" in told


def test_posts_of_bluesky_come_and_go_as_their_authors_have_it(platform, api, monkeypatch):
    events = [("k1", "create", "I love it"), ("k2", "create", "awful"), ("k1", "delete", ""), ("k3", "delete", "")]
    monkeypatch.setattr("sentiment.ingest.opening.open_websocket", FakeJetstream(events).connect)
    status, printed, _ = ingest("bluesky", "--languages", "en", "--limit", 4, "--json")
    assert status == 0
    told = json.loads(printed)
    assert (told["name"], told["read"], told["kept"], told["deleted"]) == ("bluesky", 4, 1, 3)
    assert list(api.texts.values()) == ["awful"]
    assert [item["author"] for item in api.items.values()] == [AUTHOR]
