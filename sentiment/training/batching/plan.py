"""The plan of a run: the texts of each step, drawn from the seed alone, so that a run can be resumed at any step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sentiment.training.batching.batches import Batch, collate, cut_batches, row_of
from sentiment.training.batching.encoded import UNLABELLED, EncodedTexts
from sentiment.training.config import TrainConfig

_HELD_OUT_BATCH_TOKENS: Final = 8192
_HELD_OUT_BATCH_ROWS: Final = 256


class PlanPiece(NamedTuple):
    """A batch of an epoch: its number in the epoch, and the numbers of its texts."""

    number: int
    rows: Sequence[int]


@dataclass(frozen=True)
class TrainingStep:
    """One step of the optimiser: the batches of all workers, and the number of their texts."""

    pieces: Sequence[PlanPiece]
    texts: int

    def share(self, rank: int, size: int) -> list[tuple[PlanPiece, float]]:
        """Return a worker's batches with their weights, the same number for each worker.

        A worker without a batch gets the first one with weight 0, because all must take part in the averaging.
        """
        rounds = -(-len(self.pieces) // size)
        places = (round_ * size + rank for round_ in range(rounds))
        return [(self.pieces[place], 1.0) if place < len(self.pieces) else (self.pieces[0], 0.0) for place in places]


@dataclass(frozen=True)
class BatchPlan:
    """The steps of a run over the texts at the positions `numbers` of `texts`."""

    texts: EncodedTexts
    numbers: NDArray[np.int64]
    config: TrainConfig
    workers: int = 1

    @cached_property
    def steps_by_epoch(self) -> list[int]:
        """Steps of each epoch."""
        return [len(self.epoch(number)) for number in range(self.config.epochs)]

    @property
    def total_steps(self) -> int:
        """Number of steps of the whole run without early stopping."""
        return min(sum(self.steps_by_epoch), self.config.most_steps or sum(self.steps_by_epoch))

    def epoch(self, number: int, batches_done: int = 0) -> list[TrainingStep]:
        """Return the steps of an epoch after its first `batches_done` batches; equal seeds give equal steps."""
        lengths = np.minimum(self.texts.lengths[self.numbers], self.config.window_tokens).tolist()
        random = Random(f"{self.config.seed}-{number}")
        cuts = cut_batches(lengths, self.config.batch_tokens, self.config.batch_rows, random)
        pieces = [PlanPiece(place, self.numbers[cut].tolist()) for place, cut in enumerate(cuts)]
        group = self.workers * self.config.accumulation
        groups = [pieces[start : start + group] for start in range(batches_done, len(pieces), group)]
        return [TrainingStep(part, sum(len(piece.rows) for piece in part)) for part in groups]

    def batch(self, epoch: int, piece: PlanPiece) -> Batch:
        """Return the tensors of a batch."""
        draw = self.config.windows == "draw"
        random = Random(f"{self.config.seed}-{epoch}-{piece.number}") if draw else None
        return collate([row_of(self.texts, row, self.config.window_tokens, random) for row in piece.rows])


def split(
    labels: NDArray[np.int16],
    share: float,
    seed: int,
    most: int | None = None,
    groups: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the positions of the training texts and of the held-out texts, a `share` of the labelled ones.

    At most `most` texts are drawn by `seed` from `labels` [texts] (-1: no label). No group of `groups` [texts] is on
    both sides: the unlabelled texts of a held-out group are left out. A group is not held out if it would exceed the
    share by more than half its size.
    """
    places = np.random.default_rng(seed).permutation(len(labels))[:most]
    labelled = places[labels[places] != UNLABELLED]
    group_ids = np.arange(len(labels)) if groups is None else groups
    held_out_groups = _drawn_groups(group_ids[labelled], round(share * len(labelled)))
    held_out = labelled[np.isin(group_ids[labelled], held_out_groups)]
    return np.sort(places[~np.isin(group_ids[places], held_out_groups)]), np.sort(held_out)


def _drawn_groups(groups: NDArray[np.int64], target: int) -> NDArray[np.int64]:
    """Return groups, in the order of their first texts, that together have about `target` texts."""
    ids, first, sizes = np.unique(groups, return_index=True, return_counts=True)
    drawn, texts = [], 0
    for place in np.argsort(first):
        if texts >= target:
            break
        if texts + sizes[place] / 2 <= target:
            drawn.append(place)
            texts += int(sizes[place])
    return ids[drawn]


def held_out_batches(texts: EncodedTexts, numbers: NDArray[np.int64], window_tokens: int) -> list[list[int]]:
    """Return the held-out texts in batches of similar length, always the same."""
    lengths = np.minimum(texts.lengths[numbers], window_tokens).tolist()
    cuts = cut_batches(lengths, _HELD_OUT_BATCH_TOKENS, _HELD_OUT_BATCH_ROWS, Random(0))
    return [numbers[cut].tolist() for cut in cuts]
