"""Sequential tests that stay valid when they are looked at after every text: e-values by betting. Pure.

A gambler starts with a fortune of 1 and bets against a hypothesis before each text. The game is fair or losing while
the hypothesis holds, so the fortune is a supermartingale: the chance that it ever reaches 1/alpha is at most alpha,
however often one looks (Ville's inequality). A fortune of 1/ALPHA or more rejects the hypothesis. Each function
spreads the stake over several fixed bets, since the best one is not known; the mean of such fortunes is a fortune too.

A fortune depends on the counts alone, never on their order. Sources: Waudby-Smith and Ramdas, "Estimating means of
bounded random variables by betting", JRSS B 86 (2024); Robbins, Annals of Mathematical Statistics 41 (1970).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Chance of each wrong verdict, over all looks together.
ALPHA: Final = 0.05
#: A fortune that rejects the hypothesis.
DECISIVE: Final = 1 / ALPHA

#: Shares of the fortune that are staked on a text: small ones suit versions that seldom differ in being right.
_STAKES: Final = (0.05, 0.1, 0.15, 0.2, 0.3, 0.45, 0.6, 0.75, 0.9)
#: Rates that are betted on, as multiples of the limit.
_MULTIPLES: Final = (1.1, 1.25, 1.5, 2.0, 3.0, 6.0)

Numbers = NDArray[np.float64]


def worse(only_champion: ArrayLike, only_challenger: ArrayLike) -> Numbers:
    """Return the fortune against "the challenger is no worse", from texts whose true label is known.

    The counts are of texts that only one version got right; the others say nothing about which one is better. Arrays
    are computed element by element.
    """
    losses, wins = _floats(only_champion), _floats(only_challenger)
    return _mean_fortune([losses * np.log1p(stake) + wins * np.log1p(-stake) for stake in _STAKES])


def no_worse(only_champion: ArrayLike, only_challenger: ArrayLike, labelled: ArrayLike, margin: float) -> Numbers:
    """Return the fortune against "of all texts, the challenger gets `margin` or more fewer right than the champion".

    `labelled` counts all texts whose true label is known. A text pays -1 where only the champion was right, +1 where
    only the challenger was, else 0, and `margin` on top: the game is fair where the challenger is worse by `margin`.
    """
    losses, wins = _floats(only_champion), _floats(only_challenger)
    ties = _floats(labelled) - losses - wins
    payoffs = ((losses, margin - 1), (wins, margin + 1), (ties, margin))
    return _mean_fortune([sum((n * np.log1p(stake * each) for n, each in payoffs), _floats(0)) for stake in _STAKES])


def above(hits: ArrayLike, trials: ArrayLike, limit: float) -> Numbers:
    """Return the fortune against "the share of hits is at most `limit`", 0 < limit < 1."""
    successes, misses = _floats(hits), _floats(trials) - _floats(hits)
    rates = [min(limit * multiple, (1 + limit) / 2) for multiple in _MULTIPLES]
    gains = [(np.log(rate / limit), np.log((1 - rate) / (1 - limit))) for rate in rates]
    return _mean_fortune([successes * on_hit + misses * on_miss for on_hit, on_miss in gains])


def _floats(values: ArrayLike) -> Numbers:
    return np.asarray(values, dtype=np.float64)


def _mean_fortune(logarithms: list[Numbers]) -> Numbers:
    """Return the mean of the fortunes; one too large for a float is the largest float."""
    fortune: Numbers = np.exp(np.minimum(np.logaddexp.reduce(logarithms, axis=0), 700.0) - np.log(len(logarithms)))
    return fortune
