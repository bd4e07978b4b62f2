from __future__ import annotations

import json

import pytest

from sentiment.errors import Conflict, InvalidInput, NotFound, Unavailable
from sentiment.settings import Settings
from sentiment.store.memory import MemoryStore
from serve_app.rollout import commands
from serve_app.rollout.policy.record import KIND, Command, Rollout, StartRequest, State
from tests.unit.rollout.rollouts import LABELS, list_models, rollout_of, serve_version

MODEL = "sentiment"
NOW = 5_000_000


@pytest.fixture
def store():
    store = MemoryStore()
    serve_version(store)
    list_models(store, {1: LABELS, 2: LABELS, 3: ("negative", "positive")})
    return store


def start(store, version=2, **request):
    return commands.start(store, Settings(), StartRequest(version=version, **request), NOW)[0]


def put(store, rollout: Rollout) -> None:
    present = store.get_document(KIND, MODEL)
    store.put_document(KIND, MODEL, rollout.to_body(), present.generation if present else 0)


def asked(store) -> Command | None:
    return Rollout.from_body(store.get_document(KIND, MODEL).body).asked


def test_a_start_writes_the_record_and_returns_what_people_see(store):
    told = start(store, plan="shadow, 5%,100", hold_s=1.5, auto=True, sticky="author")
    assert (told["champion"], told["challenger"], told["state"]) == (1, 2, "waiting")
    assert (told["plan"], told["hold_s"], told["auto"], told["sticky"]) == ("shadow,5,100", 1.5, True, "author")
    assert told["traffic"] == [{"version": 1, "weight": 1.0, "shadow": 0.0}]
    assert commands.status(store, MODEL, NOW) == told
    assert json.loads(json.dumps(told)) == told


def test_what_a_start_leaves_out_comes_from_the_settings(store):
    settings = Settings(rollouts_plan="10,100", rollouts_hold_s=7)
    told, _ = commands.start(store, settings, StartRequest(version=2), NOW)
    assert (told["plan"], told["hold_s"], told["auto"]) == ("10,100", 7, False)


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        ("", "plan: is empty; write growing shares"),
        ("shadow", "does not end with 100"),
        ("50,10,100", "do not grow"),
        ("10,10,100", "do not grow"),
        ("10,shadow,100", "do not grow"),
        ("10,50", "does not end with 100"),
        ("0,100", "'0' in"),
        ("101", "'101' in"),
        ("ten,100", "'ten' in"),
        ("-5,100", "'-5' in"),
        (",".join(["1"] * 21), "has 21 steps, at most 20"),
    ],
)
def test_a_malformed_plan_is_refused_with_what_it_may_be(store, plan, says):
    with pytest.raises(InvalidInput, match=r"shadow,1,10,50,100") as refused:
        start(store, plan=plan)
    assert says in str(refused.value)
    assert refused.value.field == "plan"
    assert store.get_document(KIND, MODEL) is None


@pytest.mark.parametrize(
    ("version", "error", "says"),
    [
        (1, Conflict, "version 1 of sentiment serves already"),
        (9, NotFound, "no version 9; registered are 1, 2, 3"),
        (3, Conflict, "answers with negative, positive,"),
    ],
)
def test_a_version_that_cannot_take_over_is_refused(store, version, error, says):
    with pytest.raises(error, match=says):
        start(store, version)
    assert store.get_document(KIND, MODEL) is None


def test_nothing_starts_before_a_version_serves():
    with pytest.raises(Unavailable, match="no version of sentiment serves yet"):
        start(MemoryStore())


def test_a_second_rollout_is_refused_while_one_runs_and_not_afterwards(store):
    start(store)
    with pytest.raises(Conflict, match="version 2 is being rolled out"):
        start(store, auto=True)
    put(store, rollout_of(State.ABORTED))
    assert start(store)["state"] == "waiting"


def test_of_two_that_start_at_once_one_is_refused(store, monkeypatch):
    real = store.put_document

    def overtaken(kind, name, body, expected_generation=None):
        monkeypatch.setattr(store, "put_document", real)
        start(store, hold_s=9)
        return real(kind, name, body, expected_generation)

    monkeypatch.setattr(store, "put_document", overtaken)
    with pytest.raises(Conflict, match="is being rolled out"):
        start(store)


def test_a_start_that_is_sent_again_returns_the_rollout_that_it_started(store, monkeypatch):
    first, is_new = commands.start(store, Settings(), StartRequest(version=2, plan="10,100"), NOW)
    assert is_new
    put(store, Rollout.from_body(store.get_document(KIND, MODEL).body).model_copy(update={"state": State.LOADING}))
    again, is_new = commands.start(store, Settings(), StartRequest(version=2, plan=" 10%, 100"), NOW + 1)
    assert (again["id"], again["state"], is_new) == (first["id"], "loading", False)
    for other in ({"plan": "20,100"}, {"plan": "10,100", "auto": True}, {"plan": "10,100", "hold_s": 1}):
        with pytest.raises(Conflict, match="is being rolled out"):
            start(store, **other)
    commands.give_command(store, MODEL, Command.ABORT, NOW)
    with pytest.raises(Conflict, match="is being rolled out"):
        start(store, plan="10,100")


def test_of_two_same_starts_at_once_both_return_the_one_rollout(store, monkeypatch):
    real, ids = store.put_document, []

    def overtaken(kind, name, body, expected_generation=None):
        monkeypatch.setattr(store, "put_document", real)
        ids.append(start(store)["id"])
        return real(kind, name, body, expected_generation)

    monkeypatch.setattr(store, "put_document", overtaken)
    assert [start(store)["id"]] == ids


@pytest.mark.parametrize(
    ("state", "changes"), [(State.CANARY, {"asked": Command.ABORT}), (State.ABORTING, {}), (State.ABORTED, {})]
)
def test_an_abort_that_is_sent_again_returns_the_rollout_as_it_is(store, state, changes):
    put(store, rollout_of(state, 2, **changes))
    before = store.get_document(KIND, MODEL)
    for stage in (None, 2):
        assert commands.give_command(store, MODEL, Command.ABORT, NOW, stage=stage)["phase"] == state
    with pytest.raises(Conflict, match="not at stage 1: look at its status"):
        commands.give_command(store, MODEL, Command.ABORT, NOW, stage=1)
    with pytest.raises((Conflict, NotFound)):
        commands.give_command(store, MODEL, Command.PROMOTE, NOW)
    assert store.get_document(KIND, MODEL) == before


@pytest.mark.parametrize(
    ("state", "changes", "command", "works"),
    [
        (State.SHADOW, {}, Command.PAUSE, True),
        (State.LOADING, {}, Command.PAUSE, True),
        (State.SHADOW, {"paused": True}, Command.RESUME, True),
        (State.SHADOW, {}, Command.RESUME, False),
        (State.CANARY, {}, Command.PROMOTE, True),
        (State.LOADING, {}, Command.PROMOTE, False),
        (State.DRAINING, {}, Command.PROMOTE, False),
        (State.DRAINING, {}, Command.ABORT, True),
        (State.WAITING, {}, Command.ABORT, True),
        (State.ABORTING, {}, Command.PROMOTE, False),
    ],
)
def test_what_can_be_asked_depends_on_how_far_the_rollout_is(store, state, changes, command, works):
    put(store, rollout_of(state, 1, **changes))
    if works:
        assert commands.give_command(store, MODEL, command, NOW)["asked"] == command
        assert asked(store) is command
    else:
        with pytest.raises(Conflict):
            commands.give_command(store, MODEL, command, NOW)
        assert asked(store) is None


def test_nothing_takes_the_place_of_an_abort_that_was_asked_for(store):
    put(store, rollout_of(State.CANARY, 2))
    commands.give_command(store, MODEL, Command.ABORT, NOW)
    with pytest.raises(Conflict, match="is being aborted"):
        commands.give_command(store, MODEL, Command.PROMOTE, NOW)
    assert asked(store) is Command.ABORT


@pytest.mark.parametrize("command", list(Command))
def test_where_no_rollout_is_under_way_nothing_can_be_asked(store, command):
    with pytest.raises(NotFound, match="no rollout of sentiment is under way; start one"):
        commands.give_command(store, MODEL, command, NOW)
    put(store, rollout_of(State.DONE))
    with pytest.raises(NotFound):
        commands.give_command(store, MODEL, command, NOW)


def test_a_request_that_meets_another_writer_is_checked_again_and_not_lost(store, monkeypatch):
    put(store, rollout_of(State.CANARY, 2))
    real = store.put_document

    def overtaken(kind, name, body, expected_generation=None):
        monkeypatch.setattr(store, "put_document", real)
        put(store, rollout_of(State.CANARY, 3))
        return real(kind, name, body, expected_generation)

    monkeypatch.setattr(store, "put_document", overtaken)
    assert commands.give_command(store, MODEL, Command.PAUSE, NOW)["stage"] == 3
    assert asked(store) is Command.PAUSE


def test_status_says_that_there_never_was_a_rollout(store):
    with pytest.raises(NotFound, match="has had no rollout yet"):
        commands.status(store, MODEL, NOW)


def test_what_was_answered_is_not_undone_by_the_next_request_but_abort_comes_first(store):
    put(store, rollout_of(State.CANARY, 3, asked=Command.PROMOTE))
    for late in (Command.PAUSE, Command.RESUME):
        with pytest.raises(Conflict, match="being promoted to its next step"):
            commands.give_command(store, MODEL, late, NOW)
    assert asked(store) is Command.PROMOTE
    commands.give_command(store, MODEL, Command.ABORT, NOW)
    assert asked(store) is Command.ABORT
