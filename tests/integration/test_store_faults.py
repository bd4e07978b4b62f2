from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from sentiment.errors import InvalidSettings, StoreUnavailable
from sentiment.records import AddFeedback, DeleteText, Feedback, PutText, TextQuery
from sentiment.store.mongo import MongoStore
from sentiment.store.sqlite import SqliteStore
from tests.contract.nx_server import NxServer
from tests.contract.stores import NOW_MS, labelled, text

pytestmark = pytest.mark.integration

HOLD_THE_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "undertone.db"


@pytest.fixture
def nx(tmp_path: Path) -> Iterator[NxServer]:
    server = NxServer(tmp_path)
    server.start()
    yield server
    server.kill()


@contextmanager
def unavailable_within(seconds: float) -> Iterator[pytest.ExceptionInfo[StoreUnavailable]]:
    begin = time.monotonic()
    with pytest.raises(StoreUnavailable) as caught:
        yield caught
    assert time.monotonic() - begin < seconds
    assert not any(secret in str(caught.value) for secret in ("/", "hunter2", "words", "127.0.0.1"))


def is_whole(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO search (search) VALUES ('integrity-check')")
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_only_the_owner_may_read_the_file(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.apply([PutText(text("a"))])
        modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_locked_by_another_process_is_unavailable_and_then_works(path: Path) -> None:
    with closing(SqliteStore(path, timeout_s=0.5)) as store:
        store.apply([PutText(text("a"))])
        command = [sys.executable, "-c", HOLD_THE_LOCK, path]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            holder.stdout.readline()
            with unavailable_within(2) as caught:
                store.apply([PutText(text("b"))])
            assert "locked" in str(caught.value)
            assert store.get("a") == text("a")  # reading needs no lock
        store.apply([PutText(text("b"))])
        assert store.count(TextQuery()) == {"unlabelled": 2}


def test_a_full_disk_is_unavailable_and_spoils_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk]).returncode != 0:
        pytest.skip("mounting a small disk needs root")
    try:
        fill_up(disk / "undertone.db", disk)
    finally:
        subprocess.run(["umount", disk], check=True)


def fill_up(path: Path, disk: Path) -> None:
    done: list[str] = []
    with closing(SqliteStore(path)) as store:
        with pytest.raises(StoreUnavailable, match="disk"):  # noqa: PT012  # which batch fails first is open
            for first in range(0, 100_000, 20):
                batch = [text(f"t{n}", f"words {n} " * 20) for n in range(first, first + 20)]
                store.apply([PutText(record) for record in batch])
                done += [record.id for record in batch]
        assert len(done) > 100
        assert store.get_many(done).keys() == set(done)
        with unavailable_within(6):
            store.apply([PutText(text("big", "words " * 8000))])
        subprocess.run(["mount", "-o", "remount,size=16m", disk], check=True)
        store.apply([PutText(text("later"))])
        assert store.count(TextQuery()) == {"unlabelled": len(done) + 1}
    assert is_whole(path)


@pytest.mark.parametrize("content", [b"no database " * 1000, b"SQLite format 3\0" + b"\xff" * 8000])
def test_a_damaged_file_is_unavailable(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with closing(SqliteStore(path)) as store, unavailable_within(6) as caught:
        store.get("a")
    assert "damaged" in str(caught.value)
    assert path.read_bytes() == content


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with closing(SqliteStore(tmp_path / "file" / "undertone.db")) as store, unavailable_within(6):
        store.ping()


def test_a_file_of_a_newer_version_is_left_alone(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.ping()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with closing(SqliteStore(path)) as store, unavailable_within(6) as caught:
        store.ping()
    assert "newer version" in str(caught.value)


def test_a_file_of_the_first_version_learns_to_keep_feedback(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.apply([PutText(text("a"))])
    with closing(sqlite3.connect(path)) as connection:
        for column in ("feedback", "language", "supported"):
            connection.execute(f"ALTER TABLE texts DROP COLUMN {column}")
        connection.execute("DROP TABLE changes")
        connection.execute("PRAGMA user_version = 1")
        connection.commit()
    with closing(SqliteStore(path)) as store:
        assert store.get("a") == text("a")
        store.apply([AddFeedback("a", "neutral", "team", NOW_MS)])
        assert store.get("a").feedback == (Feedback("team", "neutral", NOW_MS),)


def test_a_file_of_before_languages_were_told_learns_to_keep_them(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.apply([PutText(labelled("a"))])
    with closing(sqlite3.connect(path)) as connection:
        for column in ("language", "supported"):
            connection.execute(f"ALTER TABLE texts DROP COLUMN {column}")
        connection.execute("DROP TABLE changes")
        connection.execute("PRAGMA user_version = 2")
        connection.commit()
    with closing(SqliteStore(path)) as store:
        before = store.get("a")
        assert (before.label, before.language, before.supported) == ("positive", None, True)
        store.apply([PutText(labelled("b"))])
        assert (store.get("b").language, store.get("b").supported) == ("de", False)


def test_a_file_of_before_changes_were_noted_notes_those_to_come(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.apply([PutText(labelled("a"))])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE changes")
        connection.execute("PRAGMA user_version = 4")
        connection.commit()
    with closing(SqliteStore(path)) as store:
        assert (store.get("a"), store.revision()) == (labelled("a"), 0)
        store.apply([PutText(labelled("b"))])
        assert store.changes(0, 10).ids == ["b"]


def test_a_question_that_takes_too_long_is_given_up(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.apply([PutText(text(f"t{n}", created_at_ms=n)) for n in range(20_000)])
    with closing(SqliteStore(path, timeout_s=0)) as hasty:
        with unavailable_within(2) as caught:
            hasty.count(TextQuery(source="nowhere"))
        assert "too long" in str(caught.value)
        assert hasty.get("t1") is not None


def test_a_killed_writer_loses_nothing_acknowledged(path: Path) -> None:
    for _ in range(3):
        last = kill_after(0.4, f"sqlite:{path}")
        assert is_whole(path)
        with closing(SqliteStore(path)) as store:
            assert len(store.get_many([f"t{n}" for n in range(last + 1)])) == last + 1


def kill_after(seconds: float, address: str) -> int:
    """Let another process write for a while, kill it, and return the number of the last text it had acknowledged."""
    command = [sys.executable, "-m", "tests.contract.writer", address, "words", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        first = writer.stdout.readline()
        time.sleep(seconds)
        writer.kill()
        return int((first + writer.stdout.read()).split("\n")[-2])


def test_no_file_holds_a_deleted_text(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.apply([PutText(text(f"t{n}", f"nobody knows the secret number {n} " * 3)) for n in range(50)])
        assert any(b"nobody knows" in file.read_bytes() for file in path.parent.iterdir())
        store.apply([DeleteText(f"t{n}", NOW_MS) for n in range(50)])
        assert not any(b"nobody knows" in file.read_bytes() for file in path.parent.iterdir())
        store.delete_expired(NOW_MS)
        assert not any(b"nobody" in file.read_bytes() for file in path.parent.iterdir())
    assert is_whole(path)


def test_a_restarted_server_is_found_again_with_all_that_it_acknowledged(nx: NxServer) -> None:
    with closing(MongoStore(nx.uri, "faults", timeout_s=3)) as store:
        done: list[str] = []
        for round_number in range(2):
            batch = [text(f"{round_number}-{n}") for n in range(200)]
            store.apply([PutText(record) for record in batch])
            done += [record.id for record in batch]
            nx.kill()
            for ask in (store.ping, lambda: store.get("0-0"), lambda: store.apply([PutText(text("x"))])):
                with unavailable_within(6):
                    ask()
            nx.start()
            assert store.get_many(done).keys() == set(done)
        store.apply([PutText(text("later"))])
        assert store.count(TextQuery()) == {"unlabelled": len(done) + 1}


def test_a_writer_whose_server_is_killed_loses_nothing_acknowledged(nx: NxServer) -> None:
    command = [sys.executable, "-m", "tests.contract.writer", f"mongo:faults@{nx.uri}", "words", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as writer:
        first = writer.stdout.readline()
        time.sleep(0.3)
        nx.kill()
        last = int((first + writer.stdout.read()).split()[-1])
    nx.start()
    with closing(MongoStore(nx.uri, "faults")) as store:
        assert len(store.get_many([f"t{n}" for n in range(last + 1)])) == last + 1


def test_a_server_that_hangs_is_given_up_in_time(nx: NxServer) -> None:
    with closing(MongoStore(nx.uri, "faults", timeout_s=2)) as store:
        store.apply([PutText(text("a"))])
        nx.send(signal.SIGSTOP)
        for ask in (store.ping, lambda: store.count(TextQuery()), lambda: store.apply([PutText(text("b"))])):
            with unavailable_within(5):
                ask()
        nx.send(signal.SIGCONT)
        store.apply([PutText(text("b"))])
        assert store.get("a") == text("a")


def test_an_unreachable_server_names_no_password() -> None:
    address = "mongodb://ann:hunter2@127.0.0.1:1/"
    with closing(MongoStore(address, "faults", timeout_s=0.3)) as store, unavailable_within(2):
        store.list_documents("key")


@pytest.mark.parametrize("address", ["http://ann:hunter2@host/", "mongodb://ann:hunter2@@host:x/", "mongodb://"])
def test_a_wrong_address_names_the_setting_and_no_password(address: str) -> None:
    with pytest.raises(InvalidSettings, match="UNDERTONE_MONGO_URI") as caught:
        MongoStore(address, "faults")
    assert "hunter2" not in str(caught.value)
