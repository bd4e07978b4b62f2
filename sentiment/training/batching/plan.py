"""Which texts a step takes: drawn from the seed alone, so that a run can be taken up anywhere in it."""

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
    """What one step of the optimiser takes: the batches of all workers, and how many texts they have together."""

    pieces: Sequence[PlanPiece]
    texts: int

    def share(self, rank: int, size: int) -> list[tuple[PlanPiece, float]]:
        """Return a worker's batches with their weights, as many for each worker.

        A worker for whom none is left works on the first batch with weight 0: all must take part in averaging.
        """
        rounds = -(-len(self.pieces) // size)
        places = (round_ * size + rank for round_ in range(rounds))
        return [(self.pieces[place], 1.0) if place < len(self.pieces) else (self.pieces[0], 0.0) for place in places]


@dataclass(frozen=True)
class BatchPlan:
    """The steps of a run over the texts `numbers` (places in `texts`), for `workers` workers."""

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
        """Steps of the whole run, if it is not stopped early."""
        return min(sum(self.steps_by_epoch), self.config.most_steps or sum(self.steps_by_epoch))

    def epoch(self, number: int, done: int = 0) -> list[TrainingStep]:
        """Return the steps of an epoch that are left when `done` of its batches are; the same seed draws the same."""
        lengths = np.minimum(self.texts.lengths[self.numbers], self.config.window_tokens).tolist()
        random = Random(f"{self.config.seed}-{number}")
        cuts = cut_batches(lengths, self.config.batch_tokens, self.config.batch_rows, random)
        pieces = [PlanPiece(place, self.numbers[cut].tolist()) for place, cut in enumerate(cuts)]
        group = self.workers * self.config.accumulation
        groups = [pieces[start : start + group] for start in range(done, len(pieces), group)]
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
    """Return the places of the texts to train on and of the labelled ones held out, a `share` of them; at most `most`.

    Drawn by `seed` from `labels` [texts], -1 where there is none; with a share of 0 nothing is held out. No group of
    `groups` [texts] stands on both sides: unlabelled texts of one that is held out are left out. A group so large that
    the share would be missed by more than half of it is trained on.
    """
    places = np.random.default_rng(seed).permutation(len(labels))[:most]
    labelled = places[labels[places] != UNLABELLED]
    of = np.arange(len(labels)) if groups is None else groups
    aside = _drawn_groups(of[labelled], round(share * len(labelled)))
    held_out = labelled[np.isin(of[labelled], aside)]
    return np.sort(places[~np.isin(of[places], aside)]), np.sort(held_out)


def _drawn_groups(groups: NDArray[np.int64], wanted: int) -> NDArray[np.int64]:
    """Return groups, in the order of their first texts, that have `wanted` texts together, as nearly as they can."""
    found, first, sizes = np.unique(groups, return_index=True, return_counts=True)
    drawn, texts = [], 0
    for place in np.argsort(first):
        if texts >= wanted:
            break
        if texts + sizes[place] / 2 <= wanted:
            drawn.append(place)
            texts += int(sizes[place])
    return found[drawn]


def held_out_batches(texts: EncodedTexts, numbers: NDArray[np.int64], window_tokens: int) -> list[list[int]]:
    """Return the texts to judge on in batches of like length, the same for every caller."""
    lengths = np.minimum(texts.lengths[numbers], window_tokens).tolist()
    cuts = cut_batches(lengths, _HELD_OUT_BATCH_TOKENS, _HELD_OUT_BATCH_ROWS, Random(0))
    return [numbers[cut].tolist() for cut in cuts]
