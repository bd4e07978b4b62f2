"""Evaluate a version folder, or a running platform over HTTP, on the corpora's test sets.

python -m train_jobs.shipped_model.corpus_benchmark --corpora CORPORA --model sentiment/shipped/sentiment
python -m train_jobs.shipped_model.corpus_benchmark --corpora CORPORA --api http://127.0.0.1:8000
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import numpy as np
from numpy.typing import NDArray

from sentiment.errors import InvalidInput, Unavailable
from sentiment.evaluation.metrics import (
    accuracy,
    expected_calibration_error,
    macro_f1,
    macro_recall,
    negative_log_likelihood,
    recalls,
)
from sentiment.evaluation.slices import has_emoji, has_negation
from sentiment.labels import NEGATIVE, POSITIVE, THREE_CLASSES
from sentiment.predictor import Predictor
from sentiment.validation_messages import listed
from train_jobs.runtime.output import job_output
from train_jobs.shipped_model.readers import (
    LabelledText,
    read_imdb,
    read_sentiment140_manual,
    read_sst2,
    read_tweeteval,
)

#: Answers with the probabilities [texts, 3] of `THREE_CLASSES`.
Classify = Callable[[Sequence[str]], NDArray[np.float64]]

_NEGATIVE_ID: Final = THREE_CLASSES.index(NEGATIVE)
_POSITIVE_ID: Final = THREE_CLASSES.index(POSITIVE)
_LONG_WORDS: Final = 400
_TINY: Final = 1e-12
_LOG = logging.getLogger(__name__)
_MOST_TEXTS: Final = 1000
_MOST_CHARACTERS: Final = 60_000
_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True)
class TestSet:
    """Labelled texts with the name of the test set in reports."""

    __test__ = False  # tells pytest that this is no test class

    name: str
    examples: Sequence[LabelledText]


def read_test_sets(corpora: Path) -> list[TestSet]:
    """Read all test sets and their slices; no model is trained on their texts or chosen by them."""
    tweets, reviews = read_tweeteval(corpora, "test"), read_imdb(corpora, "test")
    return [
        TestSet("tweeteval_test", tweets),
        TestSet("tweeteval_test_negation", [row for row in tweets if has_negation(row.text)]),
        TestSet("tweeteval_test_emoji", [row for row in tweets if has_emoji(row.text)]),
        TestSet("imdb_test", reviews),
        TestSet("imdb_test_long", [row for row in reviews if len(row.text.split()) > _LONG_WORDS]),
        TestSet("sst2_dev", read_sst2(corpora, "dev")),
        TestSet("sentiment140_manual", read_sentiment140_manual(corpora)),
    ]


def evaluate_all(test_sets: Sequence[TestSet], classify: Classify) -> dict[str, dict[str, float]]:
    """Return the figures of each test set; a text that is in several of them is classified once."""
    texts = list(dict.fromkeys(row.text for test_set in test_sets for row in test_set.examples))
    by_text = dict(zip(texts, classify(texts), strict=True))
    return {
        test_set.name: figures_of_test_set(
            test_set.examples, np.array([by_text[row.text] for row in test_set.examples])
        )
        for test_set in test_sets
        if test_set.examples
    }


def figures_of_test_set(examples: Sequence[LabelledText], probabilities: NDArray[np.float64]) -> dict[str, float]:
    """Return the figures of one test set from probabilities [texts, 3].

    For a corpus without neutral texts: the accuracy by the sign of P(positive) − P(negative).
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


def from_predictor(predictor: Predictor) -> Classify:
    """Return a function that classifies with a loaded version of three classes.

    Raises:
        InvalidInput: the version has other labels.
    """
    if tuple(predictor.labels) != THREE_CLASSES:
        raise InvalidInput(
            f"The version's labels are {listed(predictor.labels)}, but the test sets need {listed(THREE_CLASSES)}: "
            "name a version with these labels.",
            "model",
        )

    def classify(texts: Sequence[str]) -> NDArray[np.float64]:
        parts = [predictor.predict(chunk, gated=False).probabilities for chunk in chunks(texts)]
        return np.array([row for part in parts for row in part], dtype=np.float64)

    return classify


def from_api(client: httpx.Client) -> Classify:
    """Return a function that classifies through `POST /v1/predict/batch` of `client`'s base address."""

    def classify(texts: Sequence[str]) -> NDArray[np.float64]:
        return np.array([row for chunk in chunks(texts) for row in _ask(client, chunk)], dtype=np.float64)

    return classify


def chunks(texts: Sequence[str]) -> Iterator[list[str]]:
    """Cut texts into requests of at most 1,000 texts and about 60,000 characters."""
    chunk: list[str] = []
    characters = 0
    for text in texts:
        if chunk and (len(chunk) == _MOST_TEXTS or characters + len(text) > _MOST_CHARACTERS):
            yield chunk
            chunk, characters = [], 0
        chunk.append(text)
        characters += len(text)
    if chunk:
        yield chunk


def main(arguments: Sequence[str]) -> None:
    """Evaluate as the command line asks; write a table, or with --json all figures, to standard output."""
    options = _parser().parse_args(arguments)
    with job_output():
        test_sets = read_test_sets(options.corpora)
        began = time.monotonic()
        if options.api:
            with httpx.Client(
                base_url=options.api, headers=_headers(options.api_key_file), timeout=_TIMEOUT_S
            ) as client:
                figures = evaluate_all(test_sets, from_api(client))
        else:
            figures = evaluate_all(test_sets, from_predictor(Predictor.load(options.model, threads=options.threads)))
        _LOG.info("evaluated in %.0f s", time.monotonic() - began)
        sys.stdout.write((json.dumps(figures, indent=2) if options.json else table(figures)) + "\n")


def _by_sign(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> dict[str, float]:
    sentiment = probabilities[:, _POSITIVE_ID] - probabilities[:, _NEGATIVE_ID]
    return {
        "accuracy": accuracy(labels == _POSITIVE_ID, sentiment > 0),
        "called_neutral": float((~np.isin(probabilities.argmax(axis=1), (_NEGATIVE_ID, _POSITIVE_ID))).mean()),
    }


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f}"


def _headers(key_file: Path | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key_file.read_text().strip()}"} if key_file else {}


def _ask(client: httpx.Client, texts: list[str]) -> list[list[float]]:
    try:
        answer = client.post("/v1/predict/batch", json={"texts": texts}).raise_for_status()
    except httpx.HTTPError as exc:
        raise Unavailable(
            f"{client.base_url} did not answer {len(texts)} texts: {exc}. Check --api, and start the platform with "
            "`undertone up`"
        ) from exc
    return [[result["probabilities"][label] for label in THREE_CLASSES] for result in answer.json()["results"]]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train_jobs.shipped_model.corpus_benchmark", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--corpora", type=Path, required=True, help="folder that holds the corpora")
    judged = parser.add_mutually_exclusive_group(required=True)
    judged.add_argument("--model", type=Path, help="version folder to judge")
    judged.add_argument("--api", help="address of a running platform to judge instead")
    parser.add_argument("--api-key-file", type=Path, help="file with the key for --api, where one is asked for")
    parser.add_argument("--threads", type=int, default=2, help="threads of the predictor (default: 2)")
    parser.add_argument("--json", action="store_true", help="write all figures as JSON instead of a table")
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
