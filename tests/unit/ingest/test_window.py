"""The window of recent texts: what it knows, forgets, and finds again after a kill."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sentiment.ingest.window import RecentTexts


def filled(folder, numbers, size=4) -> RecentTexts:
    window = RecentTexts(folder, size=size)
    for number in numbers:
        window.add(f"id-{number}", f"content-{number}")
    return window


def known(window: RecentTexts, numbers) -> list[int]:
    return [number for number in numbers if window.knows_id(f"id-{number}")]


def test_it_knows_the_last_texts_and_forgets_the_oldest(tmp_path):
    window = filled(tmp_path, range(10))
    assert known(window, range(10)) == [6, 7, 8, 9]
    assert window.knows_content("content-9")
    assert not window.knows_content("content-5")


def test_a_text_that_stands_in_it_twice_leaves_it_with_the_second(tmp_path):
    window = filled(tmp_path, [1, 1, 2, 3, 4])
    assert window.knows_id("id-1")
    window.add("id-5", "content-5")
    assert not window.knows_id("id-1")


@given(st.integers(0, 30))
def test_it_is_the_same_window_when_it_is_opened_again(tmp_path_factory, count):
    folder = tmp_path_factory.mktemp("window")
    window = filled(folder, range(count))
    window.save()
    assert known(RecentTexts(folder, window.count, 4), range(count)) == known(window, range(count))
    assert len(list(folder.iterdir())) <= 3


def test_what_was_added_behind_the_last_position_is_not_known_after_a_kill(tmp_path):
    window = filled(tmp_path, range(3), size=10)
    window.save()
    position = window.count
    filled_later = RecentTexts(tmp_path, position, 10)
    filled_later.add("id-3", "content-3")
    filled_later.save()
    assert known(RecentTexts(tmp_path, position, 10), range(4)) == [0, 1, 2]


def test_an_entry_that_a_kill_cut_off_is_left_out(tmp_path):
    filled(tmp_path, range(3), size=10).save()
    path = tmp_path / "recent-0.bin"
    path.write_bytes(path.read_bytes()[:-5])
    assert known(RecentTexts(tmp_path, 3, 10), range(3)) == [0, 1]


def test_a_new_beginning_removes_what_was_there(tmp_path):
    filled(tmp_path, range(9)).save()
    assert known(RecentTexts(tmp_path, 0, 4), range(9)) == []
