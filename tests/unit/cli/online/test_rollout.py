"""`undertone rollout` over an API that keeps the requests in a store in memory."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from io import StringIO
from itertools import groupby
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from rich.console import Console
from typer.testing import CliRunner

import cli.online.rollout
from cli.main import app
from sentiment.client.http import UndertoneClient
from sentiment.errors import Conflict, NotFound, UndertoneError
from sentiment.settings import Settings
from sentiment.store.memory import MemoryStore
from serve_app.rollout import commands
from serve_app.rollout.api_view import to_public
from serve_app.rollout.policy.record import HISTORY_KIND, KIND, Command, Rollout, StartRequest, State
from serve_app.routing.observations import Observations
from tests.unit.rollout.rollouts import LABELS, START_MS, arm, list_models, rollout_of, serve_version

MODEL = "sentiment"
_STATUS = {NotFound: "404 Not Found", Conflict: "409 Conflict"}


class RolloutApi:
    """The routes of rollouts as a WSGI application over the real requests."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        serve_version(self.store)
        list_models(self.store, {1: LABELS, 2: LABELS})

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) or b"null")
        try:
            query = dict(parse_qsl(environ["QUERY_STRING"]))
            status, answer = "200 OK", self._answer(environ["REQUEST_METHOD"], environ["PATH_INFO"], query, body)
        except UndertoneError as exc:
            status = _STATUS.get(type(exc), "422 Unprocessable Content")
            answer = {"error": {"code": "refused", "message": str(exc)}}
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(answer).encode()]

    def _answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        if (method, path) == ("POST", "/v1/rollouts"):
            return commands.start(self.store, Settings(), StartRequest(**body), START_MS)[0]
        if (method, path) == ("GET", "/v1/rollouts"):
            limit, after = int(query["limit"]), query.get("after")
            assert 1 <= limit <= 100
            rollouts, following = commands.history(self.store, MODEL, START_MS, limit, after)
            return {"rollouts": rollouts, "next": following}
        if (method, path) == ("GET", "/v1/rollouts/current"):
            return commands.status(self.store, MODEL, START_MS)
        assert method == "POST"
        asked, stage = Command(path.removeprefix("/v1/rollouts/current/")), int(query["stage"]) if query else None
        return commands.give_command(self.store, MODEL, asked, START_MS, stage=stage)

    def put(self, rollout: Rollout) -> None:
        self.store.put_document(KIND, MODEL, rollout.to_body())


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> RolloutApi:
    api = RolloutApi()

    def connect(url: str | None, api_key: str | None, attempts: int) -> UndertoneClient:
        return UndertoneClient("http://api", attempts=1, sleep=lambda _: None, transport=httpx.WSGITransport(api))

    monkeypatch.setattr(cli.online.rollout, "connect", connect)
    return api


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["rollout", *arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_start_sends_what_was_asked_for_and_shows_the_rollout(api):
    said = json.loads(run("start", "2", "--plan", "shadow,10,100", "--hold", "2m", "--auto", "--json"))
    assert (said["challenger"], said["plan"], said["hold_s"], said["auto"]) == (2, "shadow,10,100", 120.0, True)
    assert "version 1 → 2" in run("status")


def test_start_leaves_out_what_was_not_said(api):
    said = json.loads(run("start", "2", "--json"))
    assert (said["plan"], said["hold_s"], said["auto"]) == ("shadow,1,10,50,100", 60.0, False)


@pytest.mark.parametrize("hold", ["soon", "-5s", ""])
def test_a_hold_that_is_no_time_is_refused_with_what_it_may_be(api, hold):
    assert "give 60s, 5m or 1h" in run("start", "2", f"--hold={hold}", code=1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("start", "9"), "has no version 9"),
        (("start", "2", "--plan", "50"), "does not end with 100"),
        (("abort",), "no"),
    ],
)
def test_what_is_refused_is_shown_as_one_line(api, arguments, says):
    said = run(*arguments, code=1)
    assert said.startswith("Error:")
    assert says in " ".join(said.split())
    assert "Traceback" not in said


@pytest.mark.parametrize("command", ["pause", "promote", "abort"])
def test_a_command_is_written_for_the_controller(api, command):
    api.put(rollout_of(State.CANARY, 2))
    assert f"{command} asked for" in run(command)
    assert commands.status(api.store, MODEL, START_MS)["asked"] == command


def test_a_promote_whose_answer_is_lost_takes_one_step_however_often_it_is_sent(api):
    api.put(rollout_of(State.CANARY, 2))
    wsgi = httpx.WSGITransport(api)

    def respond(request: httpx.Request) -> httpx.Response:
        answer = wsgi.handle_request(request)
        if request.method == "GET":
            return answer
        if commands.status(api.store, MODEL, START_MS)["stage"] == 2:
            api.put(rollout_of(State.CANARY, 3))  # the controller takes the step
            raise httpx.ReadError("the gateway died")
        return answer

    with (
        UndertoneClient("http://api", sleep=lambda _: None, transport=httpx.MockTransport(respond)) as client,
        pytest.raises(Conflict, match="at stage 3 \\(10\\), not at stage 2: look at its status"),
    ):
        client.command_rollout("promote")
    assert commands.status(api.store, MODEL, START_MS)["asked"] is None


def test_status_shows_shares_counts_and_evidence(api):
    seen = Observations(
        {1: arm(900, labels={"positive": 600, "neutral": 300}), 2: arm(100, errors=1)},
        compared=400,
        disagreed=40,
        neutral_flips=36,
        labelled=200,
        only_champion_right=9,
        only_challenger_right=11,
    )
    api.put(rollout_of(State.CANARY, 3, seen=seen))
    said = run("status")
    for shown in (
        "version 1 90%, version 2 10%",
        "100 texts, 1 failed",
        "10.0% of 400 texts, 1.0%",
        "version 1 90.0%, version 2 90.0% on average, +0.0 points",
        "33.3% of the answers would have to change for equal shares of labels",
        "200 texts",
    ):
        assert shown in said


def test_status_says_what_is_waited_for(api):
    api.put(rollout_of(State.WAITING, waits="version 2 needs 1 GPU, 0 are free"))
    assert "version 2 needs 1 GPU, 0 are free" in run("status")


def test_watch_follows_a_rollout_to_its_end(api, monkeypatch):
    api.put(rollout_of(State.CANARY, 2))
    monkeypatch.setattr(cli.online.rollout.time, "sleep", lambda _: api.put(rollout_of(State.ABORTED, 2)))
    states = [json.loads(line)["state"] for line in run("status", "--watch", "--json").splitlines()]
    assert states == ["canary", "aborted"]
    assert "aborted" in run("status", "--watch")


def test_a_watch_at_a_terminal_draws_one_card_over_itself_until_the_rollout_ends(api, monkeypatch):
    screen = StringIO()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(
        cli.online.rollout, "console", Console(file=screen, force_terminal=True, color_system=None, width=100)
    )
    now = iter([rollout_of(State.CANARY, 2), rollout_of(State.CANARY, 3), rollout_of(State.ABORTED, 3)])
    api.put(next(now))
    monkeypatch.setattr(cli.online.rollout.time, "sleep", lambda _: api.put(next(now)))
    assert run("status", "--watch") == ""
    drawn = re.findall(r"→ 2 +(\w+)\s+step +(\w+) of", screen.getvalue())
    assert [card for card, _ in groupby(drawn)] == [("canary", "1"), ("canary", "10"), ("aborted", "10")]
    between = screen.getvalue().split("version 1 → 2")[1:-1]
    assert all("\x1b[1A\x1b[2K" in lines for lines in between), "each card but the last is wiped out line by line"
    assert "\x1b[?25h" in screen.getvalue().rpartition("aborted")[2], "the cursor is shown again"


def test_a_watch_into_a_file_writes_a_line_for_each_change_and_ends_with_the_rollout(api, monkeypatch):
    held = rollout_of(State.CANARY, 2, waits="10 texts were compared; 200 are waited for")
    counted = held.model_copy(update={"waits": "20 texts were compared; 200 are waited for"})
    now = iter([held, counted, rollout_of(State.CANARY, 3), rollout_of(State.ABORTED, 3)])
    api.put(next(now))
    monkeypatch.setattr(cli.online.rollout.time, "sleep", lambda _: api.put(next(now)))
    lines = [line.partition(" ")[2].partition(" ")[2] for line in run("status", "--watch").splitlines()]
    plan, stood = "shadow,1,10,50,100", "version 1 99%, version 2 1% (shadow of 25%)"
    assert lines == [
        "waiting: asked for",
        "canary: for the test",
        f"canary, step 1 of {plan}; {stood}; waits: 10 texts were compared; 200 are waited for",
        "canary: for the test",
        f"canary, step 10 of {plan}; version 1 90%, version 2 10% (shadow of 25%)",
        "aborted: for the test",
        f"aborted, step 10 of {plan}; version 1 100%",
    ]


def test_history_lists_rollouts_and_says_so_where_there_are_none(api):
    assert "no rollout yet" in run("history")
    api.put(rollout_of(State.DONE, 5))
    assert "for the test" in run("history")
    assert len(json.loads(run("history", "--json"))) == 1


def test_history_shows_as_many_rollouts_as_are_asked_for_over_as_many_pages_as_it_takes(api):
    for number in range(130):
        told = to_public(rollout_of(State.DONE, 5, id=f"r-{number:03}", started_ms=number), START_MS)
        api.store.put_document(HISTORY_KIND, told["id"], told)

    def shown(*arguments: str) -> list[str]:
        return [told["id"] for told in json.loads(run("history", "--json", *arguments))]

    newest_first = [f"r-{number:03}" for number in reversed(range(130))]
    assert shown() == newest_first[:20]
    assert shown("--limit", "1") == newest_first[:1]
    assert shown("--limit", "125") == newest_first[:125]
    assert shown("--limit", "1000") == newest_first
    assert "greater than or equal to 1" in run("history", "--limit", "0", code=2)
