"""What the tab *Models* shows and does, on the fake platform and without a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gradio_ui.tabs.models.rollout_actions import BUTTONS
from gradio_ui.tabs.models.rollout_desk import Desk
from sentiment.client.http import UndertoneClient
from tests.fake_api import ROLLOUT, FakeApi

FULL = {**ROLLOUT, "state": "full", "phase": "full"}


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def desk(api: FakeApi) -> Iterator[Desk]:
    with UndertoneClient(attempts=1, transport=httpx.WSGITransport(api)) as client:
        yield Desk(client, asks_for_key=False)


def started(desk: Desk, **changes: Any) -> tuple[str, bool]:
    """Fill in the form and start; return what is said, and whether the fold is opened."""
    form = {"version": "8", "plan": "", "auto": False, "hold_s": "", "sticky": "none", "in_place": False, **changes}
    said, fold = desk.start("", *form.values())
    return said, fold.get("open", False)


def enabled(desk: Desk, token: str = "") -> set[str]:
    buttons = desk.views(token)[-len(BUTTONS) :]
    return {name for name, button in zip(BUTTONS, buttons, strict=True) if button["interactive"]}


def test_all_that_is_filled_in_is_asked_for(desk: Desk, api: FakeApi) -> None:
    said, _ = started(desk, plan="5,100", auto=True, hold_s="90", sticky="author", in_place=True)
    assert "The rollout of version 8 begins." in said
    assert json.loads(api.requests[-1][1]) == {
        "version": 8,
        "plan": "5,100",
        "auto": True,
        "hold_s": 90.0,
        "sticky": "author",
        "in_place": True,
    }


@pytest.mark.parametrize(
    ("changes", "says", "unfolds"),
    [
        ({"version": "eight"}, "Version to roll out: write the number", False),
        ({"version": "0"}, "Version to roll out: must be 1 or more", False),
        ({"plan": "10,5"}, "Plan: the shares in &#x27;10,5&#x27; do not grow; write growing shares in percent", False),
        ({"hold_s": "soon"}, "Hold (seconds) &#x27;soon&#x27; is not a time: give 60s, 5m or 1h", True),
        ({"hold_s": "10000000"}, "Hold (seconds): must be 604800 or less, not 10000000", True),
        ({"sticky": "x"}, "Keep on one version: must be", True),
    ],
)
def test_a_field_that_is_refused_is_named_as_on_the_form_and_unfolded(
    desk: Desk, api: FakeApi, changes: dict[str, Any], says: str, unfolds: bool
) -> None:
    said, fold = started(desk, **changes)
    assert 'role="alert"' in said
    assert says in said
    assert fold is unfolds
    assert api.rollout is None


def test_what_can_be_done_follows_the_rollout(desk: Desk, api: FakeApi) -> None:
    assert enabled(desk) == {"start"}
    api.rollout = ROLLOUT
    assert enabled(desk) == {"promote", "pause", "abort"}
    api.rollout = {**ROLLOUT, "state": "paused", "paused": True}
    assert enabled(desk) == {"promote", "resume", "abort"}
    api.rollout = FULL
    assert enabled(desk) == {"abort"}


def test_where_a_key_is_asked_for_nothing_is_enabled_or_done_without_it(desk: Desk, api: FakeApi) -> None:
    guarded = Desk(desk.client, asks_for_key=True)
    api.rollout = ROLLOUT
    assert enabled(guarded, " ") == set()
    assert enabled(guarded, "a key") == {"promote", "pause", "abort"}
    assert "needs an admin key" in guarded.steer("pause", " ")
    assert "needs an admin key" in started(guarded)[0]
    assert api.rollout["asked"] is None


@pytest.mark.parametrize(
    ("key", "fault"),
    [("mistyped", "is unknown, revoked or expired"), ("k-read", "lacks the scope admin")],
)
def test_a_key_that_is_refused_is_told_in_words_for_a_person_at_the_page(key: str, fault: str) -> None:
    api = FakeApi("k-read", scope="read")
    api.rollout = ROLLOUT

    def connect(url: str, key: str) -> UndertoneClient:
        return UndertoneClient(url, key, attempts=1, transport=httpx.WSGITransport(api))

    with connect("http://page", "k-read") as client:
        guarded = Desk(client, asks_for_key=True, connect=connect)
        for said in (guarded.steer("pause", key), guarded.start(key, "8", "", False, "", "none", False)[0]):
            assert f"Admin key: this one {fault}; paste one with the scope admin" in said
            assert "whoever runs the platform can make" in said
            assert "undertone keys" not in said
            assert "UNDERTONE_" not in said
    assert api.rollout["asked"] is None


def test_while_the_platform_does_not_answer_the_buttons_stay_as_they_are(desk: Desk) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with UndertoneClient("http://127.0.0.1:9", attempts=1, transport=httpx.MockTransport(refuse)) as nobody:
        header, card, *rest = Desk(nobody, asks_for_key=False).views("")
    assert 'class="state away"' in header
    assert "Nothing answers at http://127.0.0.1:9" in card
    assert len(rest) == len(desk.views("")) - 2
    assert not any("interactive" in update for update in rest)


def test_the_header_tells_the_version_that_serves_now(desk: Desk, api: FakeApi) -> None:
    assert "sentiment version 7" in desk.views("")[0]
    api.serves = 8
    assert "sentiment version 8" in desk.views("")[0]


def test_a_press_that_the_api_refuses_says_why(desk: Desk, api: FakeApi) -> None:
    api.rollout, api.failures = ROLLOUT, [(409, {})]
    said = desk.steer("pause", "")
    assert 'role="alert"' in said
    assert "busy 409" in said


def test_a_promote_of_a_step_that_is_over_takes_no_second_one(desk: Desk, api: FakeApi) -> None:
    api.rollout = ROLLOUT
    stage = desk.views("")[6]
    api.rollout = {**ROLLOUT, "stage": stage + 1}
    assert f"not at stage={stage} any more" in desk.steer("promote", "", stage)
    assert api.rollout["asked"] is None
    assert "goes to its next step" in desk.steer("promote", "", stage + 1)


def test_a_canary_is_aborted_at_once(desk: Desk, api: FakeApi) -> None:
    api.rollout = ROLLOUT
    said, panel, question = desk.abort("")
    assert "gets all the traffic again" in said
    assert (panel["visible"], question, api.rollout["asked"]) == (False, "", "abort")


def test_a_version_with_all_the_traffic_is_taken_back_after_a_question_only(desk: Desk, api: FakeApi) -> None:
    api.rollout = FULL
    said, panel, question = desk.abort("")
    assert (said, panel["visible"], api.rollout["asked"]) == ("", True, None)
    assert "Version 8 has all the traffic. Going back gives it" in question
    assert desk.go_back("")[1]["visible"] is False
    assert api.rollout["asked"] == "abort"


def test_the_question_leaves_when_there_is_nothing_to_ask_any_more(desk: Desk, api: FakeApi) -> None:
    api.rollout = FULL
    assert "visible" not in desk.views("")[4]
    api.rollout = {**FULL, "state": "done", "phase": "done"}
    assert desk.views("")[4]["visible"] is False
