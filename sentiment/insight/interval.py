"""The 95 % interval of a mean sentiment.

Source: A. Agresti and B. A. Coull, "Approximate is better than 'exact' for interval estimation of binomial
proportions", The American Statistician 52 (1998): add two successes and two failures, then take the normal interval.
Here a success is a text of sentiment 1, a failure one of −1. So few texts never look certain, even if all agree, and
with many the four count for nothing.
"""

from __future__ import annotations

import math
from typing import Final

Z_95: Final = 1.959963984540054  # the normal distribution's 97.5 % quantile
_ADDED: Final = 4


def mean_interval(count: float, total: float, squares: float) -> tuple[float, float] | None:
    """Return the lower and upper end, within [−1, 1]; None for no text.

    `total` is the sum of the sentiments, `squares` that of their squares.
    """
    if count == 0:
        return None
    mean = cautious_mean(count, total)
    half = Z_95 * math.sqrt(variance_of_mean(count, total, squares))
    return max(-1.0, mean - half), min(1.0, mean + half)


def cautious_mean(count: float, total: float) -> float:
    """Return the mean sentiment, the four added texts counted."""
    return total / (count + _ADDED)


def variance_of_mean(count: float, total: float, squares: float) -> float:
    """Return the variance of a mean sentiment, the four added texts counted."""
    size = count + _ADDED
    return max(0.0, (squares + _ADDED) / size - (total / size) ** 2) / size
