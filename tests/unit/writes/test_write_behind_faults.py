from __future__ import annotations

import errno
import json
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from sentiment.errors import JournalFull, Unavailable
from sentiment.journal import Journal, JournalOptions, open_free
from sentiment.records import DeleteText, Outcome, SetLabel
from sentiment.store.memory import MemoryStore
from sentiment.writes import WriteBehind, adopt_orphans
from sentiment.writes.rejected_log import Refusal, RefusedFile
from tests.sample_operations import NOW_MS, PickyStore, put

DONE, CONFLICT, NOT_FOUND, UNAVAILABLE = Outcome.DONE, Outcome.CONFLICT, Outcome.NOT_FOUND, Outcome.UNAVAILABLE
LATER_MS = NOW_MS + 1000


def test_a_store_that_is_away_costs_no_text(sink: WriteBehind, store: MemoryStore):
    store.apply([put("stored", "tea")])
    store.available = False
    assert sink.write([put("1"), put("2", claimed=True), put("2", "other", claimed=True)]) == [DONE, DONE, CONFLICT]
    assert sink.write([SetLabel("1", "negative", LATER_MS), SetLabel("stored", "negative", LATER_MS)]) == [
        DONE,
        UNAVAILABLE,
    ]
    assert sink.write([DeleteText("stored", LATER_MS), DeleteText("2", LATER_MS)]) == [DONE, DONE]
    sink.tick()
    assert not sink.state()["store_reachable"]
    assert sink.state()["pending"] == 5
    store.available = True
    sink.tick()
    assert sink.state()["store_reachable"]
    assert {id_: record.label for id_, record in store.get_many(["1", "2", "stored"]).items()} == {"1": "negative"}


def test_a_conflict_found_late_is_kept_in_a_file_and_not_told_to_the_log(
    sink: WriteBehind, store: MemoryStore, journal: Journal, caplog: pytest.LogCaptureFixture
):
    store.apply([put("x", "tea")])
    store.available = False
    assert sink.write([put("x", "secret milk", claimed=True), put("y")]) == [DONE, DONE]
    store.available = True
    with caplog.at_level(logging.DEBUG):
        sink.tick()
    kept = journal.path / "conflicts.jsonl"
    assert [json.loads(line)["text"] for line in kept.read_text().splitlines() if line] == ["secret milk"]
    assert kept.stat().st_mode & 0o777 == 0o600
    assert sink.state()["late_conflicts"] == 1
    assert "refused" in caplog.text
    assert "secret" not in caplog.text
    assert set(store.get_many(["x", "y"])) == {"x", "y"}
    assert store.get_many(["x"])["x"].text == "tea"
    sink.write([DeleteText("x", LATER_MS)])
    sink.tick()
    assert kept.read_text() == ""


def test_a_conflict_whose_text_is_deleted_in_the_same_step_is_not_kept(
    sink: WriteBehind, store: MemoryStore, journal: Journal
):
    store.apply([put("x", "tea")])
    store.available = False
    sink.write([put("x", "secret milk", claimed=True)])
    sink.write([DeleteText("x", LATER_MS)])
    store.available = True
    sink.tick()
    assert sink.state()["late_conflicts"] == 1
    assert (journal.path / "conflicts.jsonl").read_text() == ""


def test_a_conflict_torn_by_a_crash_hides_no_other(tmp_path: Path):
    refused = RefusedFile(tmp_path)
    refused.keep([Refusal(put("1"), "conflict")])
    path = tmp_path / "conflicts.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    refused.keep([Refusal(put("2"), "conflict"), Refusal(put("3"), "conflict")])
    refused.forget({"3"})
    assert [json.loads(line)["id"] for line in path.read_text().splitlines() if line] == ["2"]


def test_a_conflict_whose_time_is_over_is_forgotten(sink: WriteBehind, store: MemoryStore, journal: Journal):
    store.apply([put("x", "tea", expires_at_ms=LATER_MS)])
    store.available = False
    sink.write([put("x", "milk", claimed=True, expires_at_ms=LATER_MS)])
    store.available = True
    sink.tick()
    assert sink.expire(LATER_MS - 1) == 0
    assert (journal.path / "conflicts.jsonl").read_text().count("milk") > 0
    assert sink.expire(LATER_MS) == 1
    assert (journal.path / "conflicts.jsonl").read_text() == ""


def test_the_pauses_grow_to_two_seconds_while_the_store_is_away(sink: WriteBehind, store: MemoryStore):
    store.available = False
    pauses = [sink.tick() for _ in range(7) if sink.write([put("1")])]
    assert pauses == [0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]
    store.available = True
    assert sink.tick() == 0.1


def test_a_disk_that_refuses_leaves_nothing_behind(sink: WriteBehind, monkeypatch: pytest.MonkeyPatch):
    def fail(file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fail)
        with pytest.raises(JournalFull):
            sink.write([put("x", "tea", claimed=True)])
    assert sink.write([put("x", "milk", claimed=True)]) == [DONE]


def test_an_operation_that_the_store_cannot_hold_stops_no_other(journal: Journal):
    store = PickyStore()
    with closing(WriteBehind(journal, store)) as sink:
        sink.write([put("1"), put("bad", "a bad text"), put("2")])
        sink.tick()
        assert set(store.get_many(["1", "2", "bad"])) == {"1", "2"}
        assert (sink.state()["pending"], sink.state()["refused"]) == (0, 1)
        assert "a bad text" in (journal.path / "conflicts.jsonl").read_text()


def test_a_store_that_fails_in_an_unforeseen_way_loses_nothing(journal: Journal):
    store = PickyStore()
    with closing(WriteBehind(journal, store)) as sink:
        store.broken = True
        sink.write([put("1"), put("2")])
        sink.tick()
        assert sink.state()["pending"] == 2
        store.broken = False
        sink.tick()
        assert set(store.get_many(["1", "2"])) == {"1", "2"}
        assert not (journal.path / "conflicts.jsonl").exists()


def test_journals_of_dead_sinks_are_adopted_and_those_of_living_ones_left_alone(tmp_path: Path, store: MemoryStore):
    store.available = False
    dead, living = open_free(tmp_path), open_free(tmp_path)
    dead.append([put("dead")]).result()
    living.append([put("living")]).result()
    dead.close()
    store.available = True
    assert adopt_orphans(tmp_path, store) == 1
    assert set(store.get_many(["dead", "living"])) == {"dead"}
    assert adopt_orphans(tmp_path, store) == 0
    living.close()


def test_an_orphan_waits_while_the_store_is_away(tmp_path: Path, store: MemoryStore):
    journal = open_free(tmp_path)
    journal.append([put("1")]).result()
    journal.close()
    store.available = False
    with pytest.raises(Unavailable):
        adopt_orphans(tmp_path, store)
    store.available = True
    assert adopt_orphans(tmp_path, store) == 1


def test_writers_in_many_threads_lose_nothing_while_the_store_comes_and_goes(tmp_path: Path, store: MemoryStore):
    def write(thread: int) -> None:
        for number in range(40):
            claimed = number % 2 == 0
            assert sink.write([put(f"{thread}-{number}", claimed=claimed)]) == [DONE]
            store.available = not store.available if number % 10 == 0 else store.available

    options = JournalOptions(segment_bytes=2000)
    with closing(WriteBehind(open_free(tmp_path, options), store)) as sink:
        sink.start()
        threads = [threading.Thread(target=write, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        store.available = True
        wait_for(lambda: sink.state()["pending"] == 0, within_s=10)
    ids = [f"{thread}-{number}" for thread in range(4) for number in range(40)]
    assert set(store.get_many(ids)) == set(ids)


def wait_for(condition: Callable[[], bool], within_s: float) -> None:
    give_up = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up, f"not within {within_s} s"
        time.sleep(0.02)
