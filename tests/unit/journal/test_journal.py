from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sentiment.errors import JournalFull, Unavailable
from sentiment.journal import Journal, JournalOptions, open_free, open_orphan, orphans
from sentiment.journal.folder import OwnedFolder, segment_files
from sentiment.journal.frames import HEADER_BYTES
from sentiment.records import DeleteText, Operation
from tests.sample_operations import labelled, put

ALL = 10**9


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(open_free(tmp_path)) as opened:
        yield opened


def contents(root: Path) -> list[Operation]:
    """What the next owner of the first journal replays."""
    with closing(open_free(root)) as journal:
        return journal.read(journal.start, ALL).operations


def written(root: Path, *batches: list[Operation]) -> Path:
    """A segment with one frame a batch, its owner gone."""
    with closing(open_free(root)) as journal:
        for batch in batches:
            journal.append(batch).result()
        return max(segment_files(journal.path))


def test_what_was_appended_is_replayed_in_order_by_the_next_owner(tmp_path: Path):
    written(tmp_path, [put("1"), put("2")], [labelled("3")], [DeleteText("1", 9)])
    assert contents(tmp_path) == [put("1"), put("2"), labelled("3"), DeleteText("1", 9)]


def test_a_write_torn_at_any_byte_loses_only_itself(tmp_path: Path):
    first = written(tmp_path, [put("1")]).stat().st_size
    segment = written(tmp_path, [put("1")], [put("2", "a longer text")])
    whole = segment.read_bytes()
    for end in range(first, len(whole)):
        segment.write_bytes(whole[:end])
        assert contents(tmp_path) == [put("1"), put("1")], end
    assert not list(segment.parent.glob("*.corrupt"))


def test_a_file_that_ends_in_zeros_is_read_up_to_them(tmp_path: Path):
    segment = written(tmp_path, [put("1")])
    segment.write_bytes(segment.read_bytes() + bytes(4096))
    assert contents(tmp_path) == [put("1")]
    assert not list(segment.parent.glob("*.corrupt"))


@pytest.mark.parametrize("offset", [0, 5, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 20])
def test_a_damaged_record_is_kept_aside_and_the_others_are_replayed(tmp_path: Path, offset: int):
    frame_bytes = written(tmp_path / "one", [put("1")]).stat().st_size
    segment = written(tmp_path / "three", [put("1")], [put("2")], [put("3")])
    content = bytearray(segment.read_bytes())
    content[frame_bytes + offset] ^= 0xFF
    segment.write_bytes(content)
    assert contents(tmp_path / "three") == [put("1"), put("3")]
    aside = segment.parent / f"1-{frame_bytes}.corrupt"
    assert aside.read_bytes() == bytes(content[frame_bytes : 2 * frame_bytes])
    assert aside.stat().st_mode & 0o777 == 0o600


def test_a_damaged_last_record_is_kept_aside_too(tmp_path: Path):
    segment = written(tmp_path, [put("1")])
    content = bytearray(segment.read_bytes())
    content[-1] ^= 0xFF
    segment.write_bytes(content)
    with closing(open_free(tmp_path)) as journal:
        assert journal.read(journal.start, ALL).operations == []
        assert journal.corrupt_files == 1


def test_a_later_format_is_kept_aside_instead_of_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patched:
        patched.setattr("sentiment.journal.operations.FORMAT", 2)
        segment = written(tmp_path, [put("1")])
    assert contents(tmp_path) == []
    assert len(list(segment.parent.glob("*.corrupt"))) == 1


def test_what_was_released_is_not_replayed(tmp_path: Path):
    with closing(open_free(tmp_path)) as journal:
        journal.append([put("1")]).result()
        end = journal.append([put("2")]).result()
        journal.append([put("3")]).result()
        journal.release(end, 2)
        assert journal.pending_operations == 1
    with closing(open_free(tmp_path)) as journal:
        assert journal.pending_operations == 1
        assert journal.read(journal.start, ALL).operations == [put("3")]


def test_a_broken_checkpoint_means_more_replay_and_no_loss(tmp_path: Path):
    with closing(open_free(tmp_path)) as journal:
        journal.release(journal.append([put("1")]).result(), 1)
        checkpoint = journal.path / "checkpoint"
    assert contents(tmp_path) == []
    checkpoint.write_bytes(b"\x01" * len(checkpoint.read_bytes()))
    assert contents(tmp_path) == [put("1")]


def test_segments_are_rotated_by_size_and_go_when_all_of_them_is_released(tmp_path: Path):
    with closing(open_free(tmp_path, JournalOptions(segment_bytes=200))) as journal:
        ends = [journal.append([put(str(number))]).result() for number in range(9)]
        files = len(segment_files(journal.path))
        assert files > 2
        journal.release(ends[4], 5)
        assert len(segment_files(journal.path)) < files
        assert journal.read(ends[4], ALL).operations == [put(str(number)) for number in range(5, 9)]
        journal.rotate()
        journal.release(journal.end, 4)
        assert segment_files(journal.path) == []
        assert journal.size_bytes == 0


def test_an_emptied_journal_keeps_what_comes_after_a_restart(tmp_path: Path):
    with closing(open_free(tmp_path)) as journal:
        journal.append([put("1")]).result()
        journal.rotate()
        journal.release(journal.end, 1)
    written(tmp_path, [put("2")])
    assert contents(tmp_path) == [put("2")]


def test_reading_in_chunks_gives_each_operation_once(tmp_path: Path):
    with closing(open_free(tmp_path, JournalOptions(segment_bytes=300))) as journal:
        for number in range(20):
            journal.append([put(str(number))]).result()
        position, seen = journal.start, []
        while operations := (chunk := journal.read(position, 3)).operations:
            position, seen = chunk.end, seen + operations
    assert seen == [put(str(number)) for number in range(20)]


def test_a_failed_sync_refuses_the_append_and_the_next_one_is_safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with closing(open_free(tmp_path)) as journal:
        journal.append([put("1")]).result()
        with monkeypatch.context() as patched:
            patched.setattr(os, "fdatasync", fail_with(errno.EIO))
            with pytest.raises(JournalFull):
                journal.append([put("2")]).result()
        journal.append([put("3")]).result()
        assert journal.read(journal.start, ALL).operations == [put("1"), put("3")]
        assert journal.pending_operations == 2
    assert contents(tmp_path) == [put("1"), put("3")]


def test_a_segment_whose_name_is_not_on_disk_takes_no_append(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with closing(open_free(tmp_path)) as journal:
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", fail_with(errno.EIO))
            with pytest.raises(JournalFull):
                journal.append([put("1")]).result()
        journal.append([put("2")]).result()
    assert contents(tmp_path) == [put("2")]


def test_of_a_group_exactly_the_operations_that_do_not_fit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    small, large = [put("small")], [put("large", "x" * 10_000)]
    with closing(open_free(tmp_path)) as journal:
        disk = SmallDisk(capacity=5000)
        monkeypatch.setattr(os, "pwrite", disk.pwrite)
        futures = gathered(journal, [small, large, small])
        assert [future.exception() is None for future in futures] == [True, False, True]
        assert isinstance(futures[1].exception(), JournalFull)
        monkeypatch.undo()
        journal.append([put("last")]).result()
    assert contents(tmp_path) == [put("first"), *small, *small, put("last")]


def test_appends_are_refused_while_the_disk_has_no_room_to_spare(journal: Journal, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patched:
        patched.setattr(OwnedFolder, "room_bytes", lambda self, reserve: 10)
        with pytest.raises(JournalFull):
            journal.append([put("1")]).result()
    journal.append([put("2")]).result()
    assert journal.read(journal.start, ALL).operations == [put("2")]


def test_appends_of_many_threads_are_all_kept_each_thread_s_in_order(tmp_path: Path):
    def append(journal: Journal, thread: int) -> None:
        for number in range(30):
            journal.append([put(f"{thread}-{number}")]).result()

    with closing(open_free(tmp_path)) as journal:
        threads = [threading.Thread(target=append, args=(journal, number)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    ids = [operation.record.id for operation in contents(tmp_path)]
    for thread in range(4):
        assert [id_ for id_ in ids if id_.startswith(f"{thread}-")] == [f"{thread}-{number}" for number in range(30)]


def test_a_journal_has_one_owner_and_is_taken_over_once_it_is_free(tmp_path: Path):
    with closing(open_free(tmp_path)) as first, closing(open_free(tmp_path)) as second:
        assert first.path != second.path
        first.append([put("1")]).result()
        assert orphans(tmp_path) == [first.path]
        assert open_orphan(first.path) is None
        freed = first.path
    with closing(open_free(tmp_path)) as third:
        assert third.path == freed


def test_folders_and_files_are_the_owner_s_alone(tmp_path: Path):
    root = tmp_path / "journal"
    segment = written(root, [put("1")])
    assert root.stat().st_mode & 0o777 == 0o700
    assert segment.parent.stat().st_mode & 0o777 == 0o700
    assert {file.name: file.stat().st_mode & 0o777 for file in segment.parent.iterdir()} == {
        "lock": 0o600,
        "checkpoint": 0o600,
        segment.name: 0o600,
    }


def test_a_folder_that_cannot_be_used_is_named_unavailable(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="folder cannot be used"):
        open_free(tmp_path / "file")


def test_appending_after_the_end_is_refused(tmp_path: Path):
    journal = open_free(tmp_path)
    journal.close()
    with pytest.raises(Unavailable, match="closing"):
        journal.append([put("1")])


def test_the_oldest_operation_tells_the_lag(tmp_path: Path):
    now = [1_000_000]
    with closing(open_free(tmp_path, JournalOptions(clock_ms=lambda: now[0]))) as journal:
        assert journal.age_s() == 0
        end = journal.append([put("1")]).result()
        now[0] += 2500
        journal.append([put("2")]).result()
        now[0] += 500
        assert journal.age_s() == 3.0
        journal.release(end, 1)
        assert journal.age_s() == 0.5


def test_each_commit_tells_its_time(tmp_path: Path):
    seen: list[float] = []
    with closing(open_free(tmp_path, JournalOptions(on_commit_ms=seen.append))) as journal:
        journal.append([put("1")]).result()
    assert len(seen) == 1
    assert seen[0] > 0


def fail_with(code: int) -> Any:
    def fail(*arguments: Any) -> None:
        raise OSError(code, os.strerror(code))

    return fail


class SmallDisk:
    """A disk that takes bytes up to a capacity, the last write partly."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._pwrite = os.pwrite

    def pwrite(self, file: int, data: Any, offset: int) -> int:
        room = self._capacity - offset
        if room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._pwrite(file, bytes(data[:room]), offset)


def gathered(journal: Journal, batches: list[list[Operation]]) -> list[Any]:
    """Append batches so that they share one commit: the writer is held up until all of them wait."""
    with journal._lock:
        first = journal.append([put("first")])
        while journal._commits._queue.qsize():
            pass
        futures = [journal.append(batch) for batch in batches]
    assert first.exception() is None
    return futures
