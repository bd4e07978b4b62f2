"""The test sets that every model is judged on, and the figures that are taken from a model's answers to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sentiment.labels import NEGATIVE, POSITIVE, THREE_CLASSES
from sentiment.metrics import (
    accuracy,
    expected_calibration_error,
    macro_f1,
    macro_recall,
    negative_log_likelihood,
    recalls,
)
from train_jobs.data import Example, read_imdb, read_sentiment140_manual, read_sst2, read_tweeteval

#: Answers with the probabilities [texts, 3] of `THREE_CLASSES`.
Classify = Callable[[Sequence[str]], NDArray[np.float64]]

_NEGATIVE_ID: Final = THREE_CLASSES.index(NEGATIVE)
_POSITIVE_ID: Final = THREE_CLASSES.index(POSITIVE)
_NEGATION: Final = re.compile(r"\b(?:not|no|never|nothing|hardly|without)\b|n['’]t\b", re.IGNORECASE)
_EMOJI: Final = re.compile("[\u2600-\u27bf\U0001f300-\U0001faff]")
_LONG_WORDS: Final = 400
_TINY: Final = 1e-12


@dataclass(frozen=True)
class TestSet:
    """Labelled texts under a name that stands in reports."""

    __test__ = False  # no test class, whatever pytest makes of the name

    name: str
    examples: Sequence[Example]


def read_test_sets(corpora: Path) -> list[TestSet]:
    """Read all test sets and their slices; none of their texts is trained on or chosen by."""
    tweets, reviews = read_tweeteval(corpora, "test"), read_imdb(corpora, "test")
    return [
        TestSet("tweeteval_test", tweets),
        TestSet("tweeteval_test_negation", [row for row in tweets if _NEGATION.search(row.text)]),
        TestSet("tweeteval_test_emoji", [row for row in tweets if _EMOJI.search(row.text)]),
        TestSet("imdb_test", reviews),
        TestSet("imdb_test_long", [row for row in reviews if len(row.text.split()) > _LONG_WORDS]),
        TestSet("sst2_dev", read_sst2(corpora, "dev")),
        TestSet("sentiment140_manual", read_sentiment140_manual(corpora)),
    ]


def judge_all(test_sets: Sequence[TestSet], classify: Classify) -> dict[str, dict[str, float]]:
    """Return the figures of each test set; a text that stands in several is classified once."""
    texts = list(dict.fromkeys(row.text for test_set in test_sets for row in test_set.examples))
    known = dict(zip(texts, classify(texts), strict=True))
    return {
        test_set.name: judge(test_set.examples, np.array([known[row.text] for row in test_set.examples]))
        for test_set in test_sets
        if test_set.examples
    }


def judge(examples: Sequence[Example], probabilities: NDArray[np.float64]) -> dict[str, float]:
    """Return the figures of one test set from probabilities [texts, 3].

    Where the corpus knows no neutral: accuracy by the sign of P(positive) − P(negative). Else those of three classes.
    """
    labels = np.array([example.label for example in examples])
    if all(example.two_class for example in examples):
        return {"texts": len(labels), **_by_sign(labels, probabilities)}
    predictions, classes = probabilities.argmax(axis=1), len(THREE_CLASSES)
    by_class = zip(THREE_CLASSES, recalls(labels, predictions, classes), strict=True)
    return {
        "texts": len(labels),
        "macro_recall": macro_recall(labels, predictions, classes),
        "macro_f1": macro_f1(labels, predictions, classes),
        "accuracy": accuracy(labels, predictions),
        "ece": expected_calibration_error(probabilities, labels),
        "nll": negative_log_likelihood(np.log(probabilities + _TINY), labels),
        **{f"recall_{label}": float(recall) for label, recall in by_class},
    }


def flatten(figures: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return `{"imdb_test": {"accuracy": 0.9}}` as `{"imdb_test_accuracy": 0.9}`, rounded to five places."""
    return {f"{name}_{key}": round(value, 5) for name, part in figures.items() for key, value in part.items()}


def table(figures: Mapping[str, Mapping[str, float]]) -> str:
    """Return the figures as a Markdown table, in percent."""
    lines = [
        "| test set | texts | macro-recall | accuracy | macro-F1 | ECE |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, part in figures.items():
        cells = (_percent(part.get(key)) for key in ("macro_recall", "accuracy", "macro_f1", "ece"))
        lines.append(f"| {name} | {part['texts']:,.0f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _by_sign(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> dict[str, float]:
    sentiment = probabilities[:, _POSITIVE_ID] - probabilities[:, _NEGATIVE_ID]
    return {
        "accuracy": accuracy(labels == _POSITIVE_ID, sentiment > 0),
        "called_neutral": float((~np.isin(probabilities.argmax(axis=1), (_NEGATIVE_ID, _POSITIVE_ID))).mean()),
    }


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f}"
