"""Which words and topics go with a search: more frequent in the texts found than in all, and not by chance.

Significance: the log-likelihood ratio G² of T. Dunning, "Accurate methods for the statistics of surprise and
coincidence", Computational Linguistics 19 (1993). A term counts from G² 10.83 on (chi-squared, one degree of freedom:
one in a thousand by chance) and from three texts on. The order is by lift times log(1 + count), so that a word of a
few texts does not lead.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sentiment.insight.values import TermKind

MIN_COUNT: Final = 3
MIN_G2: Final = 10.83


@dataclass(frozen=True, slots=True)
class Candidate:
    """A term with the number of texts found, and of all texts, that have it."""

    term: str
    kind: TermKind
    matching: int
    overall: int


def lift_of(candidate: Candidate, hits: int, texts: int) -> float:
    """Return how many times as frequent a term is in the `hits` texts found as in all `texts`."""
    return (candidate.matching / hits) / (candidate.overall / texts)


def strongest(
    candidates: Iterable[Candidate], hits: int, texts: int, limit: int, least_g2: float = MIN_G2
) -> list[Candidate]:
    """Return up to `limit` candidates with a G² of `least_g2` or more, the strongest first."""
    significant = [each for each in candidates if each.matching >= MIN_COUNT and lift_of(each, hits, texts) > 1]
    significant = [each for each in significant if _g2(each, hits, texts) >= least_g2]
    significant.sort(key=lambda each: (-lift_of(each, hits, texts) * math.log1p(each.matching), each.term, each.kind))
    return significant[:limit]


def _g2(candidate: Candidate, hits: int, texts: int) -> float:
    """Return G² of the table of texts: found or not, with the term or without."""
    matching, overall = candidate.matching, candidate.overall
    table = [
        (matching, hits * overall / texts),
        (hits - matching, hits * (texts - overall) / texts),
        (overall - matching, (texts - hits) * overall / texts),
        (texts - hits - overall + matching, (texts - hits) * (texts - overall) / texts),
    ]
    return 2 * sum(observed * math.log(observed / expected) for observed, expected in table if observed > 0)
