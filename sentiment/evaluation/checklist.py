"""Behaviour tests: what a sentiment model must do, whatever its accuracy on a test set.

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
    """One case: a single text (MFT), texts that must all get one label (INV), or two texts to compare (DIR)."""

    texts: tuple[str, ...]
    allowed: frozenset[str] = frozenset()
    """MFT: the labels that are right."""
    direction: int = 0
    """DIR: 1 if the second text must not be less positive than the first, -1 if not more positive."""


@dataclass(frozen=True)
class BehaviourTest:
    """Cases of one kind that test one capability; with `groups`, text n of every case is about group n."""

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
    """Result of one test; `failure_rate` is in [0, 1], `groups` maps each group of people to its mean sentiment."""

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
    """Run behaviour tests on a classifier whose columns are `labels`; equal texts are classified once."""
    normal = {text: normalize(text) for test in tests for case in test.cases for text in case.texts}
    unique_texts = list(dict.fromkeys(normal.values()))
    rows = dict(zip(unique_texts, classify(unique_texts), strict=True)) if unique_texts else {}
    answers = {text: _Answer.of(rows[plain], labels) for text, plain in normal.items()}
    return tuple(_judge(test, answers) for test in tests if test.cases)


@dataclass(frozen=True)
class _Answer:
    label: str
    sentiment: float

    @classmethod
    def of(cls, probabilities: NDArray[np.float64], labels: Sequence[str]) -> _Answer:
        positive, negative = (probabilities[list(labels).index(label)] for label in (POSITIVE, NEGATIVE))
        return cls(labels[int(probabilities.argmax())], float(positive - negative))


def _judge(test: BehaviourTest, answers: Mapping[str, _Answer]) -> CheckOutcome:
    failed = [case for case in test.cases if not _passes(test.kind, case, answers)]
    return CheckOutcome(
        capability=test.capability,
        name=test.name,
        kind=test.kind,
        cases=len(test.cases),
        failures=len(failed),
        failure_rate=len(failed) / len(test.cases),
        interval=share_interval(len(failed), len(test.cases)),
        examples=tuple(_failure(test.kind, case, answers) for case in failed[:_EXAMPLES]),
        groups=dict(_means(test, answers)),
    )


def _passes(kind: Kind, case: Case, answers: Mapping[str, _Answer]) -> bool:
    own = [answers[text] for text in case.texts]
    if kind == "MFT":
        return own[0].label in case.allowed
    if kind == "INV":
        return len({answer.label for answer in own}) == 1
    return (own[1].sentiment - own[0].sentiment) * case.direction >= -TOLERANCE


def _failure(kind: Kind, case: Case, answers: Mapping[str, _Answer]) -> Failure:
    own = [answers[text] for text in case.texts]
    return Failure(
        texts=case.texts,
        said=tuple(answer.label for answer in own),
        sentiments=tuple(round(answer.sentiment, 3) for answer in own),
        wanted=_expectation(kind, case),
    )


def _expectation(kind: Kind, case: Case) -> str:
    if kind == "MFT":
        return " or ".join(sorted(case.allowed))
    if kind == "INV":
        return "one label for all"
    return "not less positive" if case.direction > 0 else "not less negative"


def _means(test: BehaviourTest, answers: Mapping[str, _Answer]) -> Iterator[tuple[str, float]]:
    for place, group in enumerate(test.groups):
        yield group, float(np.mean([answers[case.texts[place]].sentiment for case in test.cases]))
