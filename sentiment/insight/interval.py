"""The 95 % interval of a mean sentiment.

Source: A. Agresti and B. A. Coull, "Approximate is better than 'exact' for interval estimation of binomial
proportions", The American Statistician 52 (1998): add two successes and two failures, then take the normal interval.
Here a success is a text of sentiment 1, a failure one of −1. So few texts never look certain, even if all agree, and
with many the four count for nothing.
"""

from __future__ import annotations

import math
from typing import Final

_Z: Final = 1.959963984540054  # the normal distribution's 97.5 % quantile
_ADDED: Final = 4


def mean_interval(count: int, total: float, squares: float) -> tuple[float, float] | None:
    """Return the lower and upper end, within [−1, 1]; None for no text.

    `total` is the sum of the sentiments, `squares` that of their squares.
    """
    if count == 0:
        return None
    size = count + _ADDED
    mean = total / size
    variance = max(0.0, (squares + _ADDED) / size - mean * mean)
    half = _Z * math.sqrt(variance / size)
    return max(-1.0, mean - half), min(1.0, mean + half)
