"""Simulated rollouts: labelled texts come one by one, the evidence is looked at, and the first verdict counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serve_app.rollout.policy.sequential_test import DECISIVE, no_worse, worse

MARGIN = 0.03
_CHUNK = 50


@dataclass(frozen=True)
class Truth:
    """A challenger: on `behind` more of all texts it is wrong where the champion is right than the other way round.

    `discordant` is the share of texts that one of the two alone gets right.
    """

    behind: float
    discordant: float


@dataclass(frozen=True)
class Verdicts:
    """How simulated rollouts ended, and after how many labelled texts (those that did not, after all of them)."""

    aborted: NDArray[np.bool_]
    promoted: NDArray[np.bool_]
    labels: NDArray[np.int64]

    def told(self) -> dict[str, float]:
        """Return the shares of both verdicts and the quantiles of the labelled texts until one."""
        return {
            "aborted": float(self.aborted.mean()),
            "promoted": float(self.promoted.mean()),
            "undecided": float((~self.aborted & ~self.promoted).mean()),
            "labels_median": float(np.median(self.labels)),
            "labels_p90": float(np.quantile(self.labels, 0.9)),
        }


def simulate(truth: Truth, *, rollouts: int, labels: int, seed: int, every: int = 1) -> Verdicts:
    """Run `rollouts` rollouts of up to `labels` labelled texts, looked at after each `every` of them."""
    random = np.random.default_rng(seed)
    chunks = [
        _simulate(truth, min(_CHUNK, rollouts - done), labels, random, every) for done in range(0, rollouts, _CHUNK)
    ]
    return Verdicts(*(np.concatenate(parts) for parts in zip(*chunks, strict=True)))


def _simulate(truth: Truth, rollouts: int, labels: int, random: np.random.Generator, every: int):
    lost_below = (truth.discordant + truth.behind) / 2
    drawn = random.random((rollouts, labels))
    looks = np.arange(every, labels + 1, every)
    lost = (drawn < lost_below).cumsum(axis=1)[:, looks - 1]
    won = ((drawn >= lost_below) & (drawn < truth.discordant)).cumsum(axis=1)[:, looks - 1]
    against = _first(worse(lost, won) >= DECISIVE)
    for_it = _first(no_worse(lost, won, looks, MARGIN) >= DECISIVE)
    never = len(looks)
    ended = np.minimum(np.minimum(against, for_it), never - 1)
    return (against < never) & (against <= for_it), for_it < against, looks[ended]


def _first(true: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the first place in each row that is true, the row's length where none is."""
    return np.where(true.any(axis=1), true.argmax(axis=1), true.shape[1])
