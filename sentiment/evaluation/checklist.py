"""Behaviour tests: what a sentiment model must do, whatever its accuracy on a test set says.

Three kinds, after Ribeiro et al. 2020, "Beyond Accuracy: Behavioral Testing of NLP Models with CheckList": minimum
functionality (MFT: the label must be one of those expected), invariance (INV: a change that carries no feeling must not
change the label), direction (DIR: a change that carries feeling must not move the sentiment the other way).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from sentiment.evaluation.bootstrap import Interval, share_interval
from sentiment.labels import NEGATIVE, POSITIVE

Kind = Literal["MFT", "INV", "DIR"]
#: Answers normalised texts with probabilities [texts, labels].
Classify = Callable[[Sequence[str]], NDArray[np.float64]]

#: How far the sentiment, in [-1, 1], may move the wrong way before a directional test fails (CheckList's own figure).
TOLERANCE: Final = 0.1
_EXAMPLES: Final = 5


@dataclass(frozen=True)
class Case:
    """One trial. MFT: one text and the labels that are right. INV: the first text's label must be that of all.

    DIR: the sentiment of the second text is to be above (`direction` 1) or below (-1) the first's, or about equal.
    """

    texts: tuple[str, ...]
    allowed: frozenset[str] = frozenset()
    direction: int = 0


@dataclass(frozen=True)
class BehaviourTest:
    """Cases of one kind that test one thing. With `groups`, the n-th text of every case is about the n-th group."""

    capability: str
    name: str
    kind: Kind
    cases: tuple[Case, ...]
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """A case that failed: its texts, and the label and sentiment, in [-1, 1], that the model gave to each."""

    texts: tuple[str, ...]
    said: tuple[str, ...]
    sentiments: tuple[float, ...]
    wanted: str


@dataclass(frozen=True)
class CheckOutcome:
    """How one test went. `failure_rate` is in [0, 1]; `groups` has the mean sentiment of each group of people."""

    capability: str
    name: str
    kind: Kind
    cases: int
    failures: int
    failure_rate: float
    interval: Interval
    examples: tuple[Failure, ...]
    groups: Mapping[str, float]


def run_tests(
    tests: Sequence[BehaviourTest], classify: Classify, labels: Sequence[str], normalize: Callable[[str], str]
) -> tuple[CheckOutcome, ...]:
    """Run behaviour tests on a model that answers with `labels`; equal texts are classified once."""
    normal = {text: normalize(text) for test in tests for case in test.cases for text in case.texts}
    asked = list(dict.fromkeys(normal.values()))
    rows = dict(zip(asked, classify(asked), strict=True)) if asked else {}
    said = {text: _Said.of(rows[plain], labels) for text, plain in normal.items()}
    return tuple(_judge(test, said) for test in tests if test.cases)


@dataclass(frozen=True)
class _Said:
    label: str
    sentiment: float

    @classmethod
    def of(cls, probabilities: NDArray[np.float64], labels: Sequence[str]) -> _Said:
        positive, negative = (probabilities[list(labels).index(label)] for label in (POSITIVE, NEGATIVE))
        return cls(labels[int(probabilities.argmax())], float(positive - negative))


def _judge(test: BehaviourTest, said: Mapping[str, _Said]) -> CheckOutcome:
    failed = [case for case in test.cases if not _passes(test.kind, case, said)]
    return CheckOutcome(
        capability=test.capability,
        name=test.name,
        kind=test.kind,
        cases=len(test.cases),
        failures=len(failed),
        failure_rate=len(failed) / len(test.cases),
        interval=share_interval(len(failed), len(test.cases)),
        examples=tuple(_failure(test.kind, case, said) for case in failed[:_EXAMPLES]),
        groups=dict(_means(test, said)),
    )


def _passes(kind: Kind, case: Case, said: Mapping[str, _Said]) -> bool:
    answers = [said[text] for text in case.texts]
    if kind == "MFT":
        return answers[0].label in case.allowed
    if kind == "INV":
        return len({answer.label for answer in answers}) == 1
    return (answers[1].sentiment - answers[0].sentiment) * case.direction >= -TOLERANCE


def _failure(kind: Kind, case: Case, said: Mapping[str, _Said]) -> Failure:
    answers = [said[text] for text in case.texts]
    return Failure(
        texts=case.texts,
        said=tuple(answer.label for answer in answers),
        sentiments=tuple(round(answer.sentiment, 3) for answer in answers),
        wanted=_wanted(kind, case),
    )


def _wanted(kind: Kind, case: Case) -> str:
    if kind == "MFT":
        return " or ".join(sorted(case.allowed))
    if kind == "INV":
        return "one label for all"
    return "not less positive" if case.direction > 0 else "not less negative"


def _means(test: BehaviourTest, said: Mapping[str, _Said]) -> Iterator[tuple[str, float]]:
    for place, group in enumerate(test.groups):
        yield group, float(np.mean([said[case.texts[place]].sentiment for case in test.cases]))
