"""Windows are batched by their cost, and a failing one is found by halving."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from sentiment.predictor.batches import Logits, Padded, Window, cut, forward_each, pad


def _windows(lengths: list[int]) -> list[Window]:
    return [Window(text, [text + 1] * length, length) for text, length in enumerate(lengths)]


def test_no_batch_is_dearer_than_its_budget_and_no_window_is_lost() -> None:
    generator = random.Random(1)
    windows = _windows([generator.randint(2, 120) for _ in range(300)])
    batches = cut(windows, 256)
    assert sorted(window.text for batch in batches for window in batch) == list(range(300))
    assert all(len(batch) * max(len(window.ids) for window in batch) <= 256 for batch in batches)
    padded = sum(len(batch) * len(batch[0].ids) for batch in batches)
    assert padded < 1.05 * sum(len(window.ids) for window in windows)


def test_a_window_longer_than_the_budget_is_a_batch_of_its_own() -> None:
    assert [[len(window.ids) for window in batch] for batch in cut(_windows([300, 5, 400, 6]), 256)] == [
        [400],
        [300],
        [6, 5],
    ]


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
