"""What becomes of the embedded index when its process, its files or its disk fail."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sentiment.errors import Unavailable
from sentiment.insight.embedded.index import TantivyIndex
from sentiment.insight.values import Deletion
from tests.contract.insight_texts import indexed, quick_folder, search, walk
from tests.contract.insight_writer import TEXTS_A_COMMIT

ROOT = Path(__file__).parents[2]
EVERYTHING = search("")


@pytest.fixture
def folder() -> Iterator[Path]:
    with quick_folder() as parent:
        yield Path(parent) / "home" / "insight"


def generations(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()]


def holds(folder: Path, word: bytes) -> bool:
    return any(word in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_content_position_and_commit_are_there_after_closing(folder: Path) -> None:
    index = TantivyIndex(folder)
    index.apply([Deletion("gone", 3)], [indexed("one", "tea 茶")], "place")
    commit = index.commit
    index.close()
    again = TantivyIndex(folder)
    again.apply([], [indexed("gone", revision=3)], again.position)
    assert (walk(again, EVERYTHING), walk(again, search('"tea 茶"')), again.position) == (["one"], ["one"], "place")
    assert again.commit != commit
    again.close()


def test_a_killed_process_leaves_whole_commits_and_their_position(folder: Path) -> None:
    for _ in range(2):
        command = [sys.executable, "-m", "tests.contract.insight_writer", str(folder)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            done = [int(writer.stdout.readline()) for _ in range(5)][-1]
            writer.kill()
        index = TantivyIndex(folder)
        position = int(index.position)
        assert position >= done
        expected = {f"{n}{digit}" for n in range(1, position + 1) for digit in range(TEXTS_A_COMMIT)}
        assert expected <= set(walk(index, EVERYTHING, limit=500))
        assert index.count(search(f"word{position + 1}")) == 0 or index.count(EVERYTHING) > len(expected)
        index.close()


def test_a_folder_has_one_owner(folder: Path) -> None:
    index = TantivyIndex(folder)
    with pytest.raises(Unavailable, match="Another process uses the insight index"):
        TantivyIndex(folder)
    index.close()
    TantivyIndex(folder).close()


def test_nobody_else_may_read_the_folder(folder: Path) -> None:
    TantivyIndex(folder).close()
    assert {path.stat().st_mode & 0o777 for path in (folder, *generations(folder))} == {0o700}


def test_deleted_words_leave_the_disk_with_a_rebuild(folder: Path) -> None:
    index = TantivyIndex(folder)
    index.apply([], [indexed("one", "unforgettable"), indexed("two", "ordinary")], "1")
    index.apply([Deletion("one", 2)], [], "2")
    index.rebuild([indexed("two", "ordinary")], "3")
    assert not holds(folder, b"unforgettable")
    assert holds(folder, b"ordinary")
    assert len(generations(folder)) == 1
    index.close()


def test_what_a_killed_rebuild_left_is_removed(folder: Path) -> None:
    index = TantivyIndex(folder)
    index.apply([], [indexed("one")], "1")
    index.close()
    left_over = folder / "0123456789abcdef"
    left_over.mkdir()
    (left_over / "words").write_text("half of it")
    index = TantivyIndex(folder)
    assert (index.position, left_over.exists()) == ("1", False)
    index.close()


@pytest.mark.parametrize("damage", ["current", "meta", "segments", "schema"])
def test_a_damaged_index_opens_empty_and_without_a_position(
    folder: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    index = TantivyIndex(folder)
    index.apply([], [indexed("one")], "1")
    index.close()
    [generation] = generations(folder)
    if damage == "current":
        (folder / "current").write_text("{")
    elif damage == "schema":
        (folder / "current").write_text(f'["{generation.name}", 0]')
    elif damage == "meta":
        (generation / "meta.json").write_text("nonsense")
    else:
        for path in generation.glob("*.store"):
            path.unlink()
    index = TantivyIndex(folder)
    assert (index.position, index.count(EVERYTHING)) == ("", 0)
    assert ("damaged" in caplog.text) is (damage in ("meta", "segments"))
    index.apply([], [indexed("two")], "2")
    assert (walk(index, EVERYTHING), index.position) == (["two"], "2")
    index.close()


@contextmanager
def full_disk() -> Iterator[None]:
    """Let no file grow beyond a few bytes, as on a disk that is full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_is_told_and_forgotten_once_there_is_room(folder: Path) -> None:
    index = TantivyIndex(folder)
    index.apply([], [indexed("one")], "1")
    with full_disk(), pytest.raises(Unavailable, match="cannot be written"):
        index.apply([], [indexed("two")], "2")
    assert (walk(index, EVERYTHING), index.position) == (["one"], "1")
    index.apply([], [indexed("three")], "3")
    assert (sorted(walk(index, EVERYTHING)), index.position) == (["one", "three"], "3")
    index.close()
