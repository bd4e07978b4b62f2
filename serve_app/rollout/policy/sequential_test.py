"""Evidence that may be looked at after every text: e-values, tests by betting. Pure functions of counts.

A gambler starts with 1 and bets, before each text, against a hypothesis in a game that is fair or losing while that
hypothesis holds. His fortune is then a supermartingale, and the chance that it ever reaches 1/alpha is at most alpha
(Ville's inequality), however often it is looked at. A fortune of 1/ALPHA or more rejects the hypothesis. Each function
spreads the stake over several fixed bets, so that one of them suits the truth; the mean of their fortunes is one too.

Every fortune depends on counts alone, never on their order. Background: Waudby-Smith and Ramdas, "Estimating means of
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
    """Return the fortune against "the challenger is no worse", from texts of which the truth is known.

    The counts are of texts that one version alone got right; those that both got right or wrong tell nothing here.
    Arrays are taken element by element.
    """
    losses, wins = _floats(only_champion), _floats(only_challenger)
    return _mean_fortune([losses * np.log1p(stake) + wins * np.log1p(-stake) for stake in _STAKES])


def no_worse(only_champion: ArrayLike, only_challenger: ArrayLike, labelled: ArrayLike, margin: float) -> Numbers:
    """Return the fortune against "of all texts, the challenger gets `margin` or more fewer right than the champion".

    `labelled` counts all texts of which the truth is known. A text pays +1, -1 or 0, for the version that alone got it
    right, and `margin` on top, which is what makes the game fair for a challenger that is worse by just `margin`.
    """
    losses, wins = _floats(only_champion), _floats(only_challenger)
    ties = _floats(labelled) - losses - wins
    paid = ((losses, margin - 1), (wins, margin + 1), (ties, margin))
    return _mean_fortune([sum((n * np.log1p(stake * each) for n, each in paid), _floats(0)) for stake in _STAKES])


def above(hits: ArrayLike, trials: ArrayLike, limit: float) -> Numbers:
    """Return the fortune against "the share of hits is at most `limit`", 0 < limit < 1."""
    hit, missed = _floats(hits), _floats(trials) - _floats(hits)
    rates = [min(limit * multiple, (1 + limit) / 2) for multiple in _MULTIPLES]
    return _mean_fortune([hit * np.log(rate / limit) + missed * np.log((1 - rate) / (1 - limit)) for rate in rates])


def _floats(values: ArrayLike) -> Numbers:
    return np.asarray(values, dtype=np.float64)


def _mean_fortune(logarithms: list[Numbers]) -> Numbers:
    """Return the mean of the fortunes; one too large for a float is the largest float."""
    fortune: Numbers = np.exp(np.minimum(np.logaddexp.reduce(logarithms, axis=0), 700.0) - np.log(len(logarithms)))
    return fortune
