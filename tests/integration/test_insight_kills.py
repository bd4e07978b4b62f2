"""An index whose process is killed while texts come and go has exactly what the store has, once it was brought up."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from sentiment.clock import epoch_ms
from sentiment.insight.embedded.index import TantivyIndex
from sentiment.insight.indexer import Indexer
from sentiment.insight.query.parser import parse_query
from sentiment.insight.values import Query
from sentiment.records import DeleteText, PutText, SetLabel, TextQuery
from sentiment.store.base import TextStore
from tests.contract.stores import NOW_MS, labelled, open_at

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
CHANCE = random.Random(17)


def start_follower(address: str, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.integration.index_follower", address, str(folder)]
    follower = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert follower.stdout is not None
    assert follower.stdout.readline() == b"tick\n"
    return follower


def write(store: TextStore, turn: int, until_s: float) -> None:
    """Write texts, labels and deletions until a moment."""
    number = 0
    while time.monotonic() < until_s:
        ids = [f"t{turn}-{number}-{n}" for n in range(20)]
        ends_ms = [CHANCE.choice([None, NOW_MS + 9]) for _ in ids]
        texts = zip(ids, ends_ms, strict=True)
        store.apply([PutText(labelled(id_, f"words of {id_}", expires_at_ms=end_ms)) for id_, end_ms in texts])
        store.apply([SetLabel(id_, "negative", NOW_MS + 1) for id_ in CHANCE.sample(ids, 3)])
        store.apply([DeleteText(id_, NOW_MS + 1) for id_ in CHANCE.sample(ids, 3)])
        number += 1


def brought_up(store: TextStore, folder: Path) -> TantivyIndex:
    index = TantivyIndex(folder)
    indexer = Indexer(store, lambda: index, epoch_ms)
    indexer.tick()
    while indexer.state().pending:
        indexer.tick()
    return index


def contents(index: TantivyIndex) -> tuple[set[str], dict[str, int]]:
    ids: set[str] = set()
    cursor = None
    while True:
        page = index.top(Query(), "newest", 1000, after=cursor)
        ids |= set(page.ids)
        cursor = page.next_cursor
        if cursor is None:
            break
    parse = partial(parse_query, author_key=str)
    counted = {label: index.count(parse(f"label:{label}")) for label in ("negative", "neutral", "positive")}
    return ids, {label: count for label, count in counted.items() if count}


def contents_of(store: TextStore) -> tuple[set[str], dict[str, int]]:
    ids: set[str] = set()
    cursor = None
    while True:
        page = store.page(TextQuery(), 1000, cursor)
        ids |= {record.id for record in page.records}
        cursor = page.next_cursor
        if cursor is None:
            return ids, store.count(TextQuery())


def test_a_killed_index_neither_loses_nor_repeats_a_text(tmp_path: Path) -> None:
    address, folder = f"sqlite:{tmp_path / 'undertone.db'}", tmp_path / "insight"
    with closing(open_at(address)) as store:
        store.apply([PutText(labelled(f"first{n}")) for n in range(500)])
        for turn in range(5):
            follower = start_follower(address, folder)
            write(store, turn, time.monotonic() + CHANCE.uniform(0.2, 0.8))
            follower.send_signal(signal.SIGKILL)
            follower.communicate()
            store.delete_expired(NOW_MS + 9)
        write(store, 9, time.monotonic() + 0.1)
        with closing(brought_up(store, folder)) as index:
            found, expected = contents(index), contents_of(store)
    assert found == expected
    assert len(found[0]) > 600


@pytest.mark.parametrize("harm", ["gone", "cut", "foreign"])
def test_an_index_that_is_lost_or_broken_is_made_anew(tmp_path: Path, harm: str) -> None:
    address, folder = f"sqlite:{tmp_path / 'undertone.db'}", tmp_path / "insight"
    with closing(open_at(address)) as store:
        store.apply([PutText(labelled(f"t{n}")) for n in range(300)])
        brought_up(store, folder).close()
        do_harm(folder, harm)
        with closing(brought_up(store, folder)) as index:
            assert contents(index) == contents_of(store)


def do_harm(folder: Path, harm: str) -> None:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "lock"]
    for path in files:
        if harm == "gone":
            path.unlink()
        elif harm == "cut":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        else:
            path.write_bytes(b"of something else")
