"""Windows are batched by their cost, and a failing one is found by halving."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator

import numpy as np
import pytest

from sentiment.predictor.batches import Logits, Padded, Window, cut, forward_each, pad


def _windows(lengths: list[int]) -> list[Window]:
    return [Window(text, [text + 1] * length, length) for text, length in enumerate(lengths)]


def _cost(batches: list[list[int]], pass_tokens: int) -> int:
    return sum(len(batch) * max(batch) + pass_tokens for batch in batches)


def _every_way(lengths: list[int]) -> Iterator[list[list[int]]]:
    """Yield each way to cut a list into runs."""
    for cuts in itertools.product([False, True], repeat=len(lengths) - 1):
        batches = [[lengths[0]]]
        for length, begins in zip(lengths[1:], cuts, strict=True):
            if begins:
                batches.append([])
            batches[-1].append(length)
        yield batches


def _cut_lengths(lengths: list[int], batch_tokens: int, pass_tokens: int) -> list[list[int]]:
    return [[len(window.ids) for window in batch] for batch in cut(_windows(lengths), batch_tokens, pass_tokens)]


@pytest.mark.parametrize("pass_tokens", [0, 14, 16_384])
def test_no_batch_is_dearer_than_its_budget_and_no_window_is_lost(pass_tokens: int) -> None:
    generator = random.Random(1)
    windows = _windows([generator.randint(2, 120) for _ in range(300)])
    batches = cut(windows, 256, pass_tokens)
    assert sorted(window.text for batch in batches for window in batch) == list(range(300))
    assert all(len(batch) * max(len(window.ids) for window in batch) <= 256 for batch in batches)


@pytest.mark.parametrize("pass_tokens", [0, 5, 14, 300])
def test_no_other_way_to_cut_costs_less(pass_tokens: int) -> None:
    generator = random.Random(pass_tokens)
    for count in range(1, 10):
        lengths = [generator.randint(2, 60) for _ in range(count)]
        ways = _every_way(sorted(lengths, reverse=True))
        allowed = [way for way in ways if all(len(batch) * batch[0] <= 100 or len(batch) == 1 for batch in way)]
        found = _cut_lengths(lengths, 100, pass_tokens)
        assert _cost(found, pass_tokens) == min(_cost(way, pass_tokens) for way in allowed)


def test_texts_of_like_lengths_share_a_pass_and_others_only_where_a_pass_is_dear() -> None:
    assert _cut_lengths([10, 60, 58, 9], 256, pass_tokens=14) == [[60, 58], [10, 9]]
    assert _cut_lengths([10, 60, 58, 9], 256, pass_tokens=200) == [[60, 58, 10, 9]]
    assert _cut_lengths([], 256, pass_tokens=14) == []


def test_a_window_longer_than_the_budget_is_a_batch_of_its_own() -> None:
    assert _cut_lengths([300, 5, 400, 6], 256, pass_tokens=14) == [[400], [300], [6, 5]]


def test_padding_is_masked_and_never_a_piece_of_the_text() -> None:
    batch = pad([Window(0, [5, 6, 7], 1), Window(1, [8], 1)], pad_id=9)
    assert batch.input_ids.tolist() == [[5, 6, 7], [8, 9, 9]]
    assert batch.attention_mask.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert {part.dtype for part in batch} == {np.dtype(np.int64)}


class Engine:
    """Returns each row's first piece; raises when a bad piece is in the batch, or answers with infinity."""

    def __init__(self, bad: set[int], *, raises: bool) -> None:
        self.bad = bad
        self.raises = raises
        self.passes = 0

    def __call__(self, batch: Padded) -> Logits:
        self.passes += 1
        first = batch.input_ids[:, 0].astype(np.float32)
        found = bool(self.bad & set(first.tolist()))
        if found and self.raises:
            raise ValueError("bad piece")
        return np.where(found, np.inf, first)[:, None].astype(np.float32)  # one bad row spoils them all


@pytest.mark.parametrize("raises", [True, False])
@pytest.mark.parametrize("count", [1, 2, 7, 16, 33])
def test_one_bad_window_among_many_is_found_in_logarithmically_many_passes(count: int, raises: bool) -> None:
    for bad in range(count):
        engine = Engine({bad + 1}, raises=raises)
        rows = forward_each(_windows([3] * count), engine, 0)
        assert [place for place, row in enumerate(rows) if isinstance(row, Exception)] == [bad]
        assert [float(row[0]) for row in rows if not isinstance(row, Exception)] == [
            place + 1 for place in range(count) if place != bad
        ]
        assert engine.passes <= 1 + 2 * math.ceil(math.log2(count))


def test_several_bad_windows_are_all_found() -> None:
    rows = forward_each(_windows([3] * 20), Engine({2, 3, 20}, raises=True), 0)
    assert [place for place, row in enumerate(rows) if isinstance(row, Exception)] == [1, 2, 19]
