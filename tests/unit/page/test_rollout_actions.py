"""What the page offers to do with a rollout, against what the API takes."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from gradio_ui.tabs.models.rollout_actions import BUTTONS, offer_of, question_before_abort
from sentiment.errors import UndertoneError
from sentiment.settings import Settings
from sentiment.store.memory import MemoryStore
from serve_app.rollout import commands
from serve_app.rollout.api_view import to_public
from serve_app.rollout.policy.record import BEFORE_TRAFFIC, KIND, Command, Rollout, StartRequest, State
from tests.unit.rollout.rollouts import LABELS, START_MS, list_models, rollout_of, serve_version

STAGES = {State.SHADOW: 1, State.CANARY: 3, State.FULL: 5, State.DRAINING: 5, State.ABORTING: 3, State.DONE: 5}
RECORDS = [
    rollout_of(state, STAGES.get(state, 0), paused=paused, asked=asked)
    for state, paused, asked in product(State, (False, True), (None, *Command))
]


def told(state: State, **changes: Any) -> dict[str, Any]:
    return to_public(rollout_of(state, STAGES.get(state, 0), **changes), START_MS)


def taken(rollout: Rollout) -> set[str]:
    """Return what the API takes while its record is this one."""
    settings = Settings()
    requests: dict[str, Any] = {
        command.value: lambda store, command=command: commands.give_command(store, "sentiment", command, START_MS)
        for command in Command
    }
    requests["start"] = lambda store: commands.start(store, settings, StartRequest(version=3), START_MS)
    return {name for name, request in requests.items() if _succeeds(request, rollout)}


def _succeeds(request: Any, rollout: Rollout) -> bool:
    store = MemoryStore()
    serve_version(store, 1)
    list_models(store, {1: LABELS, 2: LABELS, 3: LABELS})
    store.put_document(KIND, "sentiment", rollout.to_body(), 0)
    try:
        request(store)
    except UndertoneError:
        return False
    return True


@pytest.mark.parametrize("rollout", RECORDS, ids=lambda r: f"{r.state}-{r.paused}-{r.asked}")
def test_every_button_that_is_enabled_does_what_the_api_takes(rollout):
    offered = offer_of(to_public(rollout, START_MS)).commands
    assert offered <= taken(rollout)


@pytest.mark.parametrize("rollout", RECORDS, ids=lambda r: f"{r.state}-{r.paused}-{r.asked}")
def test_only_what_is_so_already_is_not_offered_though_the_api_takes_it(rollout):
    so_already = {rollout.asked or (Command.PAUSE if rollout.paused else Command.RESUME)}
    if rollout.state in (State.ABORTING, State.ABORTED):
        so_already |= {Command.ABORT}
    left_out = taken(rollout) - offer_of(to_public(rollout, START_MS)).commands
    assert left_out <= {command.value for command in so_already}


@pytest.mark.parametrize("state", State)
def test_without_a_key_nothing_is_offered_and_the_page_says_why(state):
    offer = offer_of(told(state), has_key=False)
    assert offer.commands == frozenset()
    assert "admin key" in offer.why


def test_before_the_first_rollout_and_after_the_last_only_start_is_offered():
    for rollout in (None, told(State.DONE), told(State.ABORTED)):
        offer = offer_of(rollout)
        assert offer.commands == {"start"}
        assert "No rollout is under way" in offer.why


@pytest.mark.parametrize(
    ("rollout", "why"),
    [
        (told(State.LOADING), "can be promoted once it is loaded and checked"),
        (told(State.CANARY), "Another rollout can be started once this one has ended"),
        (told(State.CANARY, asked=Command.PROMOTE), "being promoted to its next step"),
        (told(State.DRAINING), "the only button left is Abort, which goes back to version 1"),
        (told(State.SHADOW, asked=Command.ABORT), "being aborted"),
    ],
)
def test_the_page_says_why_the_other_buttons_are_not_offered(rollout, why):
    assert why in offer_of(rollout).why


@pytest.mark.parametrize("state", [state for state in State if state not in (State.FULL, State.DRAINING)])
def test_aborting_a_version_without_all_the_traffic_asks_nothing(state):
    assert question_before_abort(told(state)) is None
    assert question_before_abort(None) is None


@pytest.mark.parametrize("state", [State.FULL, State.DRAINING])
def test_going_back_from_a_version_with_all_the_traffic_asks_first_and_says_what_happens(state):
    question = question_before_abort(told(state))
    assert question == (
        "Version 2 has all the traffic. Going back gives it, and the alias champion, to version 1 again, within a "
        "second, and ends version 2."
    )


def test_going_back_to_a_version_that_made_room_says_that_requests_wait():
    question = question_before_abort(told(State.FULL, swapped=True))
    assert question is not None
    assert "once it is loaded again (requests wait until then)" in question


def test_each_command_of_the_api_has_a_button():
    assert set(BUTTONS) == {"start", *(command.value for command in Command)}
    assert {state.value for state in BEFORE_TRAFFIC} == {"waiting", "loading", "checking"}
