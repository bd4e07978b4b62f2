from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentiment.errors import Unavailable
from sentiment.journal import Journal, open_free
from sentiment.journal.folder import segment_files
from sentiment.records import AddFeedback, DeleteText, Feedback, Operation, Outcome, SetLabel
from sentiment.store.memory import MemoryStore
from sentiment.writes import WriteBehind
from sentiment.writes.pending import Pending
from tests.hypothesis_profile import examples
from tests.sample_operations import NOW_MS, labelled, put

DONE, CONFLICT, NOT_FOUND, UNAVAILABLE = Outcome.DONE, Outcome.CONFLICT, Outcome.NOT_FOUND, Outcome.UNAVAILABLE
LATER_MS = NOW_MS + 1000


def test_what_was_acknowledged_is_pending_and_then_in_the_store(sink: WriteBehind, store: MemoryStore):
    assert sink.write([put("1"), labelled("2")]) == [DONE, DONE]
    assert (sink.state()["pending"], store.get_many(["1", "2"])) == (2, {})
    sink.tick()
    assert store.get_many(["1", "2"]) == {"1": put("1").record, "2": labelled("2").record}
    assert (sink.state()["pending"], sink.state()["stored"]) == (0, 2)


def test_an_id_never_stands_for_two_texts(sink: WriteBehind, store: MemoryStore):
    store.apply([put("stored", "tea")])
    assert sink.write([put("new", "tea", claimed=True), put("new", "milk", claimed=True)]) == [DONE, CONFLICT]
    assert sink.write([put("new", "milk", claimed=True), put("new", "tea", claimed=True)]) == [CONFLICT, DONE]
    assert sink.write([put("stored", "milk", claimed=True), put("stored", "tea", claimed=True)]) == [CONFLICT, DONE]
    sink.tick()
    assert sink.write([put("new", "milk", claimed=True)]) == [CONFLICT]
    assert store.get_many(["new"])["new"].text == "tea"
    assert (sink.state()["conflicts"], sink.state()["late_conflicts"]) == (4, 0)


def test_of_two_texts_that_claim_an_id_at_once_one_wins(sink: WriteBehind, store: MemoryStore):
    futures = [sink.submit([put("x", text, claimed=True)]) for text in ("tea", "milk", "tea", "coffee")]
    assert [future.result() for future in futures] == [[DONE], [CONFLICT], [DONE], [CONFLICT]]
    sink.tick()
    assert store.get_many(["x"])["x"].text == "tea"


def test_labels_and_deletions_of_unknown_texts_are_not_found(sink: WriteBehind, store: MemoryStore):
    store.apply([put("stored")])
    sink.write([put("pending")])
    labels = [SetLabel(id_, "negative", LATER_MS) for id_ in ("stored", "pending", "unknown")]
    deletions = [DeleteText(id_, LATER_MS) for id_ in ("stored", "pending", "unknown")]
    assert sink.write(labels) == [DONE, DONE, NOT_FOUND]
    assert sink.write(deletions) == [DONE, DONE, NOT_FOUND]
    assert sink.write(labels + deletions) == [NOT_FOUND] * 6
    sink.tick()
    assert store.get_many(["stored", "pending"]) == {}


def test_feedback_on_texts_that_exist_is_promised_and_kept(sink: WriteBehind, store: MemoryStore):
    store.apply([put("stored")])
    sink.write([put("pending")])
    said = [AddFeedback(id_, "negative", "team", LATER_MS) for id_ in ("stored", "pending", "unknown")]
    assert sink.write(said) == [DONE, DONE, NOT_FOUND]
    sink.tick()
    words = (Feedback("team", "negative", LATER_MS),)
    assert [record.feedback for record in store.get_many(["stored", "pending"]).values()] == [words, words]


def test_a_deleted_id_may_be_given_to_another_text_later(sink: WriteBehind, store: MemoryStore):
    sink.write([put("x", "tea", claimed=True)])
    later = put("x", "milk", claimed=True, received_at_ms=LATER_MS + 1)
    assert sink.write([DeleteText("x", LATER_MS), later]) == [DONE, DONE]
    sink.tick()
    assert store.get_many(["x"])["x"].text == "milk"


def test_a_deletion_stops_a_text_that_is_on_its_way_through_another_sink(tmp_path: Path, store: MemoryStore):
    with (
        closing(WriteBehind(open_free(tmp_path), store)) as one,
        closing(WriteBehind(open_free(tmp_path), store)) as two,
    ):
        one.write([put("x")])
        assert two.write([DeleteText("x", LATER_MS)]) == [NOT_FOUND]
        two.tick()
        one.tick()
        assert store.get_many(["x"]) == {}


def test_no_file_holds_a_text_a_second_after_its_deletion(journal: Journal, store: MemoryStore):
    with closing(WriteBehind(journal, store)) as sink:
        sink.start()
        assert sink.write([put("x", "a secret"), put("y", "another")]) == [DONE, DONE]
        assert any(b"a secret" in file.read_bytes() for file in segment_files(journal.path))
        sink.write([DeleteText("x", LATER_MS)])
        wait_for(lambda: not any(b"a secret" in file.read_bytes() for file in journal.path.iterdir()), within_s=1.0)
        assert set(store.get_many(["x", "y"])) == {"y"}


def test_a_quiet_journal_is_empty(journal: Journal, store: MemoryStore):
    with closing(WriteBehind(journal, store)) as sink:
        sink.start()
        sink.write([put("x")])
        wait_for(lambda: segment_files(journal.path) == [], within_s=5.0)
        wait_for(lambda: sink.state()["journal_bytes"] == 0, within_s=5.0)


def test_a_restart_replays_before_it_serves(tmp_path: Path, store: MemoryStore):
    store.available = False
    with closing(WriteBehind(open_free(tmp_path), store)) as killed:
        killed.write([put("1"), put("2")])
        killed.tick()
    store.available = True
    with closing(WriteBehind(open_free(tmp_path), store)) as sink:
        sink.start()
        assert set(store.get_many(["1", "2"])) == {"1", "2"}


def test_an_unseen_backlog_makes_labels_unavailable_instead_of_not_found(tmp_path: Path, store: MemoryStore):
    store.available = False
    with closing(WriteBehind(open_free(tmp_path), store)) as killed:
        killed.write([put("backlog")])
        killed.tick()
    with closing(WriteBehind(open_free(tmp_path), store)) as sink:
        store.available = True
        assert sink.write([SetLabel("backlog", "neutral", LATER_MS)]) == [UNAVAILABLE]
        sink.tick()
        assert sink.write([SetLabel("backlog", "neutral", LATER_MS)]) == [DONE]
        assert sink.write([SetLabel("unknown", "neutral", LATER_MS)]) == [NOT_FOUND]


def test_the_index_of_pending_ids_is_bounded_and_says_when_it_is_blind(journal: Journal):
    pending = Pending(journal.start, journal.end, max_ids=2)
    kept, spilled = pending.reserve([put("1"), put("2")]), pending.reserve([put("3")])
    assert pending.blind
    ends = [journal.append([put("any")]).result() for _ in range(2)]
    pending.settle(kept, ends[0])
    pending.settle(spilled, ends[1])
    assert pending.known({"1", "2", "3"}) == {"1": "key of good", "2": "key of good"}
    pending.drained(ends[0])
    assert pending.known({"1", "2"}) == {}
    assert pending.blind
    pending.drained(ends[1])
    assert not pending.blind
    journal.close()


def test_closing_drains_and_ends_the_promises(tmp_path: Path, store: MemoryStore):
    sink = WriteBehind(open_free(tmp_path), store)
    sink.start()
    sink.check()
    sink.write([put(str(number)) for number in range(2500)])
    sink.close()
    assert len(store.get_many([str(number) for number in range(2500)])) == 2500
    for operation in (put("late"), put("late", claimed=True)):
        with pytest.raises(Unavailable, match="closing"):
            sink.submit([operation]).result()
    with pytest.raises(Unavailable, match="stopped"):
        sink.check()


IDS = st.sampled_from("abc")
KINDS = st.sampled_from(["put", "put", "label", "delete", "drain"])


@settings(max_examples=examples(60), deadline=None)
@given(steps=st.lists(st.tuples(KINDS, IDS, st.sampled_from(["tea", "milk"])), max_size=25))
def test_outcomes_and_texts_are_those_of_the_store_itself(steps: list[tuple[str, str, str]]):
    direct, behind = MemoryStore(), MemoryStore()
    with TemporaryDirectory() as root, closing(WriteBehind(open_free(Path(root)), behind)) as sink:
        for at_ms, (kind, id_, text) in enumerate(steps, NOW_MS):
            if kind == "drain":
                sink.tick()
                continue
            operation = operation_of(kind, id_, text, at_ms)
            assert sink.write([operation]) == direct.apply([operation])
        sink.tick()
    assert behind.get_many("abc") == direct.get_many("abc")


def operation_of(kind: str, id_: str, text: str, at_ms: int) -> Operation:
    if kind == "put":
        return put(id_, text, claimed=True, received_at_ms=at_ms)
    return SetLabel(id_, "negative", at_ms) if kind == "label" else DeleteText(id_, at_ms)


def wait_for(condition: Callable[[], bool], within_s: float) -> None:
    give_up = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up, f"not within {within_s} s"
        time.sleep(0.02)
