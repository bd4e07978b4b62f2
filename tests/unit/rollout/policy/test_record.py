from __future__ import annotations

import json

import pytest

from sentiment.errors import Conflict, StoreUnavailable
from sentiment.store.memory import MemoryStore
from serve_app.rollout.api_view import to_public
from serve_app.rollout.policy.decisions import PublishTable
from serve_app.rollout.policy.record import HISTORY_KIND, KIND, Entry, Rollout, State
from serve_app.rollout.policy.shares import all_to
from serve_app.rollout.rollout_store import LEASE_KIND, LEASE_MS, RolloutStore
from serve_app.routing.observations import Observations
from serve_app.routing.traffic_table import KIND as TRAFFIC
from serve_app.routing.traffic_table import Route, from_body
from tests.unit.rollout.rollouts import LABELS, START_MS, arm, rollout_of, serve_version

MODEL = "sentiment"


def entry(state: State, stage: int, at_ms: int = START_MS) -> Entry:
    return Entry(at_ms=at_ms, state=state, stage=stage, reason=f"{state} {stage}")


def test_a_record_survives_the_store_with_all_that_was_counted():
    seen = Observations({1: arm(10), 2: arm(5, errors=1)}, compared=5, disagreed=1)
    record = rollout_of(State.CANARY, 3, seen=seen, paused=True)
    again = Rollout.from_body(json.loads(json.dumps(record.to_body())))
    assert again == record
    assert again.observations == seen


def test_a_record_of_a_later_release_can_be_read():
    record = rollout_of()
    assert Rollout.from_body({**record.to_body(), "weather": "fine"}) == record


def test_of_many_decisions_the_first_and_the_newest_are_kept():
    record = rollout_of(State.CANARY, 2)
    for number in range(300):
        record = record.with_decision(entry(State.CANARY, 2, START_MS + number))
    assert len(record.decisions) == 200
    assert record.decisions[0].state is State.WAITING
    assert record.decisions[-1].at_ms == START_MS + 299


def test_the_moments_are_those_at_which_the_challengers_share_changed():
    record = rollout_of(State.SHADOW, 1)
    course = [(State.CANARY, 2), (State.CANARY, 2), (State.CANARY, 3), (State.ABORTING, 3), (State.ABORTED, 3)]
    for number, (state, stage) in enumerate(course):
        record = record.with_decision(entry(state, stage, START_MS + number))
    told = to_public(record, START_MS)
    moments = [(moment["at_ms"] - START_MS, moment["share"]) for moment in told["moments"]]
    assert moments == [(0, 0.01), (2, 0.1), (3, 0.0)]
    assert (told["ended_ms"], told["state"], told["in_step_s"]) == (START_MS + 4, "aborted", 0.0)


def test_a_lease_is_one_controllers_until_it_ends_or_is_given_back():
    store = MemoryStore()
    one, two = RolloutStore(store, MODEL, "one"), RolloutStore(store, MODEL, "two")
    assert one.take_lease(0) == LEASE_MS
    assert two.take_lease(LEASE_MS - 1) is None
    assert one.take_lease(LEASE_MS - 1) == 2 * LEASE_MS - 1
    assert two.take_lease(2 * LEASE_MS) == 3 * LEASE_MS
    one.give_lease_back()  # it is not one's any more
    assert one.take_lease(2 * LEASE_MS + 1) is None
    two.give_lease_back()
    assert one.take_lease(2 * LEASE_MS + 2) is not None


def test_of_two_that_take_a_lease_at_the_same_moment_one_gets_it(monkeypatch):
    store = MemoryStore()
    one, two = RolloutStore(store, MODEL, "one"), RolloutStore(store, MODEL, "two")
    real = store.put_document

    def overtaken(*arguments):
        monkeypatch.setattr(store, "put_document", real)
        assert two.take_lease(0) == LEASE_MS
        return real(*arguments)

    monkeypatch.setattr(store, "put_document", overtaken)
    assert one.take_lease(0) is None
    assert store.get_document(LEASE_KIND, MODEL).body["holder"] == "two"


def test_what_was_read_is_what_is_written_over_or_nothing_is():
    store = MemoryStore()
    serve_version(store)
    slow, quick = RolloutStore(store, MODEL, "slow"), RolloutStore(store, MODEL, "quick")
    route = Route(MODEL, 1, "classifier-v1", "digest", LABELS, "1", 1.0)
    for rollout_store in (slow, quick):
        rollout_store.read()
    quick.publish([route], PublishTable(all_to(1), split={"a": 1}), None)
    quick.save(rollout_of(State.SHADOW, 1), START_MS)
    with pytest.raises(Conflict):
        slow.publish([route], PublishTable(all_to(1)), None)
    with pytest.raises(Conflict):
        slow.save(rollout_of(State.CANARY, 2), START_MS)
    table, record = slow.read()
    assert (dict(table.split), record.state) == ({"a": 1}, State.SHADOW)


def test_a_ledger_notices_that_somebody_else_has_written_the_record():
    store = MemoryStore()
    rollout_store = RolloutStore(store, MODEL, "one")
    rollout_store.read()
    assert not rollout_store.is_out_of_date()
    store.put_document(KIND, MODEL, rollout_of().to_body())
    assert rollout_store.is_out_of_date()
    rollout_store.read()
    rollout_store.save(rollout_of(State.LOADING), START_MS)
    assert not rollout_store.is_out_of_date()


def test_a_table_of_a_rollout_says_which_and_keeps_clients_on_a_side():
    store, record = MemoryStore(), rollout_of(State.CANARY, 2, request={"sticky": "author"})
    route = Route(MODEL, 1, "classifier-v1", "digest", LABELS, "1", 1.0)
    rollout_store = RolloutStore(store, MODEL, "one")
    rollout_store.publish([route], PublishTable(all_to(1), record.id, 2), record)
    document = store.get_document(TRAFFIC, MODEL)
    table = from_body(document.generation, document.body)
    assert (table.rollout, table.stage, table.sticky, table.sides) == (record.id, 2, "author", (1, 2))
    rollout_store.publish([route], PublishTable(all_to(1)), record)
    document = store.get_document(TRAFFIC, MODEL)
    table = from_body(document.generation, document.body)
    assert (table.rollout, table.stage, table.sticky, table.sides) == (None, 0, "none", None)


def test_a_rollout_that_ends_is_in_the_history_before_its_record_says_so():
    store, ended = MemoryStore(), rollout_of(State.DONE, 5)

    class Dying(MemoryStore):
        def put_document(self, kind, name, body, expected_generation=None):
            if kind == KIND:
                raise StoreUnavailable("killed here")
            return store.put_document(kind, name, body, expected_generation)

    with pytest.raises(StoreUnavailable):
        RolloutStore(Dying(), MODEL, "one").save(ended, START_MS)
    assert store.get_document(HISTORY_KIND, ended.id).body["state"] == "done"
