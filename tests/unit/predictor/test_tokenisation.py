"""Texts are cut into windows that cover them, by the version's own tokenizer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sentiment.errors import ModelRejected
from sentiment.predictor.tokenisation import Tokenisation, evenly_spread, load_tokenisation, window_starts
from sentiment.version import read_version
from tests.tiny_model import build_tiny_version

WINDOW, OVERLAP, MOST = 32, 4, 3  # of the tiny version
CAPACITY = WINDOW - 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_version(tmp_path_factory.mktemp("version"))


@pytest.fixture(scope="module")
def tokenisation(folder: Path) -> Tokenisation:
    return load_tokenisation(read_version(folder))


def _long(words: int) -> str:
    return " ".join(["good", "the", "bad", "phone", "day"][place % 5] for place in range(words))


def test_a_short_text_is_one_window_with_its_special_pieces(tokenisation: Tokenisation) -> None:
    (pieces,) = tokenisation.split(["I love it"])
    assert [len(window) for window in pieces.windows] == [5]
    assert pieces.body_tokens == [3]
    assert not pieces.truncated


def test_a_text_that_just_fits_is_one_window_and_one_piece_more_makes_two(tokenisation: Tokenisation) -> None:
    fits, spills = tokenisation.split([_long(CAPACITY), _long(CAPACITY + 1)])
    assert [len(window) for window in fits.windows] == [WINDOW]
    assert [len(window) for window in spills.windows] == [WINDOW, OVERLAP + 1 + 2]


def test_windows_cover_a_long_text_overlap_and_bear_their_special_pieces(tokenisation: Tokenisation) -> None:
    count = 2 * CAPACITY
    long, words = tokenisation.split([_long(count), _long(5)])
    body = (words.windows[0][1:-1] * count)[:count]
    first, second, third = (window[1:-1] for window in long.windows)
    assert first + second[OVERLAP:] + third[OVERLAP:] == body
    assert first[-OVERLAP:] == second[:OVERLAP]
    assert {(window[0], window[-1]) for window in long.windows} == {(words.windows[0][0], words.windows[0][-1])}
    assert long.body_tokens == [len(first), len(second), len(third)]
    assert not long.truncated


def test_of_more_windows_than_allowed_first_and_last_are_among_those_kept(tokenisation: Tokenisation) -> None:
    text = " ".join(["good"] * CAPACITY + ["the"] * 10 * CAPACITY + ["bad"])
    (pieces,) = tokenisation.split([text])
    good, bad = (tokenisation.split([word])[0].windows[0][1] for word in ("good", "bad"))
    assert len(pieces.windows) == MOST
    assert pieces.windows[0][1:-1] == [good] * CAPACITY
    assert pieces.windows[-1][-2] == bad
    assert pieces.truncated


@pytest.mark.parametrize("count", range(31, 200, 7))
def test_window_starts_leave_no_piece_out_and_no_window_inside_another(count: int) -> None:
    starts = window_starts(count, CAPACITY, OVERLAP)
    covered = {place for start in starts for place in range(start, min(start + CAPACITY, count))}
    assert covered == set(range(count))
    assert starts[-2] + CAPACITY < count


def test_windows_are_spread_evenly() -> None:
    assert evenly_spread([0, 1, 2, 3, 4, 5, 6], 4) == [0, 2, 4, 6]
    assert evenly_spread([0, 1, 2], 3) == [0, 1, 2]
    assert evenly_spread([0, 1, 2], 1) == [0]


def test_any_str_has_pieces_even_an_empty_one_and_a_lone_surrogate(tokenisation: Tokenisation) -> None:
    empty, surrogate, question = tokenisation.split(["", "good \ud800 day", "good ? day"])
    assert (len(empty.windows[0]), empty.body_tokens) == (2, [1])
    assert surrogate == question


def test_the_tokenizer_neither_cuts_nor_pads_by_itself_whatever_its_file_says(folder: Path, tmp_path: Path) -> None:
    version = read_version(folder)
    tokenizer = load_tokenisation(version)._tokenizer
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=50)
    again = Tokenisation(tokenizer, WINDOW, OVERLAP, MOST)
    assert [len(pieces.windows[0]) for pieces in again.split(["good", _long(20)])] == [3, 22]


def test_threads_that_share_a_tokenisation_get_the_same_pieces(tokenisation: Tokenisation) -> None:
    texts = [_long(words) for words in range(1, 60)]
    alone = [tokenisation.split([text])[0] for text in texts]
    with ThreadPoolExecutor(8) as pool:
        for together in pool.map(tokenisation.split, [texts] * 16):
            assert together == alone


def test_a_tokenizer_that_is_none_is_refused_by_name(folder: Path, tmp_path: Path) -> None:
    version = read_version(build_tiny_version(tmp_path / "version"))
    version.file("tokenizer.json").write_text("{}")
    with pytest.raises(ModelRejected, match=r"tokenizer\.json is not a tokenizer"):
        load_tokenisation(version)
