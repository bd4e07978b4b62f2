from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sentiment.errors import Conflict
from sentiment.records import DeleteText, Outcome, PutText, SetLabel, TextQuery
from sentiment.store.base import TextStore
from tests.contract.stores import NOW_MS, labelled, open_at, text

COUNT = 400


def test_two_processes_never_put_two_texts_under_one_id(address: str, kind: str) -> None:
    if kind == "memory":
        pytest.skip("memory is not shared by processes")
    command = [sys.executable, "-m", "tests.contract.writer", address]
    writers = [
        subprocess.Popen([*command, words, str(COUNT)], stdout=subprocess.PIPE, text=True) for words in ("one", "two")
    ]
    outcomes = [writer.communicate(timeout=100)[0].split() for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    store = open_at(address)
    found = store.get_many([f"t{n}" for n in range(COUNT)])
    for n in range(COUNT):
        won = ["one", "two"].index(found[f"t{n}"].text)
        assert (outcomes[won][n], outcomes[1 - won][n]) == ("done", "conflict")
    assert store.count(TextQuery()) == {"unlabelled": COUNT}
    assert len(store.page(TextQuery(search="one"), COUNT).records) == outcomes[0].count("done")
    store.close()


def test_threads_share_a_store(store: TextStore) -> None:
    def write(worker: int) -> None:
        for n in range(20):
            store.apply([PutText(text(f"{worker}-{n}-{m}")) for m in range(5)])
            assert store.get(f"{worker}-{n}-0") is not None

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    assert store.count(TextQuery()) == {"unlabelled": 600}


def test_many_labels_at_once_end_with_the_latest(store: TextStore) -> None:
    store.apply([PutText(text("a"))])
    labels = ["negative", "neutral", "positive"]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: store.apply([SetLabel("a", labels[n % 3], NOW_MS + n)]), range(30)))
    found = store.get("a")
    assert (found.label, found.labelled_at_ms) == (labels[29 % 3], NOW_MS + 29)


def test_a_deletion_wins_over_puts_that_run_beside_it(store: TextStore) -> None:
    ids = [f"t{n}" for n in range(50)]
    barrier = threading.Barrier(2)

    def put() -> None:
        barrier.wait()
        for n in ids:
            store.apply([PutText(labelled(n))])

    def delete() -> None:
        barrier.wait()
        for n in ids:
            assert store.apply([DeleteText(n, NOW_MS)])[0] in (Outcome.DONE, Outcome.NOT_FOUND)

    with ThreadPoolExecutor(2) as pool:
        for run in [pool.submit(put), pool.submit(delete)]:
            run.result()
    assert store.get_many(ids) == {}
    assert store.count(TextQuery()) == {}


def test_of_many_writers_over_one_generation_one_wins(store: TextStore) -> None:
    def write(worker: int) -> bool:
        try:
            store.put_document("lease", "retrain", {"by": worker}, expected_generation=0)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        won = list(pool.map(write, range(12)))
    assert won.count(True) == 1
    assert store.get_document("lease", "retrain").body == {"by": won.index(True)}


def test_writes_without_expectation_all_count(store: TextStore) -> None:
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda n: store.put_document("traffic", "a", {"n": n}), range(9)))
    assert store.get_document("traffic", "a").generation == 9


def test_pages_hold_every_old_text_once_while_others_are_inserted(store: TextStore) -> None:
    store.apply([PutText(text(f"old{n:03}", created_at_ms=NOW_MS + n)) for n in range(200)])

    def insert() -> None:
        for n in range(150):
            store.apply([PutText(text(f"new{n}", created_at_ms=NOW_MS + n * 2))])

    with ThreadPoolExecutor(1) as pool:
        inserting = pool.submit(insert)
        seen = walk(store)
        inserting.result()
    assert len(seen) == len(set(seen))
    assert [seen_id for seen_id in seen if seen_id.startswith("old")] == [f"old{n:03}" for n in reversed(range(200))]


def walk(store: TextStore) -> list[str]:
    seen, cursor = [], None
    while True:
        page = store.page(TextQuery(), 17, cursor)
        seen += [record.id for record in page.records]
        cursor = page.next_cursor
        if cursor is None:
            return seen
