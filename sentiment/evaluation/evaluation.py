"""Evaluate one version on one data set: figures, slices, behaviour, mistakes, speed, and a comparison with another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from sentiment.errors import InvalidInput, ModelRejected
from sentiment.evaluation.bootstrap import PairedDifference, compare
from sentiment.evaluation.checklist import CheckOutcome, Classify, run_tests
from sentiment.evaluation.figures import Figures, measure
from sentiment.evaluation.metrics import Reliability, reliability
from sentiment.evaluation.performance import Performance
from sentiment.evaluation.slices import EmptySlice, Slice, SliceRow, cut_slices, empty_slices
from sentiment.evaluation.templates import make_tests
from sentiment.labels import THREE_CLASSES, TWO_CLASSES
from sentiment.predictor import Predictor
from sentiment.text import NORMALIZERS

_MISTAKES: Final = 12
_CHUNK_TEXTS: Final = 1000
_SAMPLE: Final = 500
_SHOWN_CHARACTERS: Final = 400


class LabelledTexts(SliceRow, Protocol):
    """A row with its label; a dataset's labelled example is one."""

    @property
    def label(self) -> str | None:
        """One of the data's labels."""


@dataclass(frozen=True)
class EvaluatedVersion:
    """The version that is evaluated. `file_bytes` is the size of the engine's file."""

    ref: str
    name: str
    digest: str
    engine: str
    file_bytes: int
    temperature: float
    trained_on: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class EvaluationTexts:
    """The data: `texts` labelled rows are evaluated; `unlabelled` rows were left out."""

    ref: str
    digest: str
    labels: tuple[str, ...]
    texts: int
    unlabelled: int = 0


@dataclass(frozen=True)
class Mistake:
    """A text that the version is surest of, and wrong."""

    text: str
    label: str
    said: str
    confidence: float


@dataclass(frozen=True)
class VersionComparison:
    """The other version, its figures on the same texts, and the differences: this one's minus the other's."""

    subject: EvaluatedVersion
    figures: Figures
    differences: tuple[PairedDifference, ...]


@dataclass(frozen=True)
class Evaluation:
    """All that was found; parts that were not asked for are empty. `called_neutral` is for data without neutral."""

    subject: EvaluatedVersion
    data: EvaluationTexts
    figures: Figures
    reliability: Reliability
    mistakes: tuple[Mistake, ...]
    called_neutral: float | None = None
    slices: tuple[Slice, ...] = ()
    empty_slices: tuple[EmptySlice, ...] = ()
    behaviour: tuple[CheckOutcome, ...] = ()
    performance: Performance | None = None
    against: VersionComparison | None = None

    def to_mapping(self) -> dict[str, Any]:
        """Return everything as JSON takes it; a number that does not exist is null."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


@dataclass(frozen=True)
class ModelAnswers:
    """What a version says of a data set: probabilities [texts, labels of the data], label ids [texts]."""

    ids: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    called_neutral: float | None


def classifier_of(predictor: Predictor) -> Classify:
    """Return a function that classifies with a loaded version.

    It raises ModelRejected where the model fails on a text: figures over the others would be kinder than the model.
    Texts that the version would not support in service are classified like all others: the model is measured.
    """

    def classify(texts: Sequence[str]) -> NDArray[np.float64]:
        rows: list[Any] = []
        for first in range(0, len(texts), _CHUNK_TEXTS):
            answers = predictor.predict(texts[first : first + _CHUNK_TEXTS], gated=False)
            if answers.errors:
                place, reason = next(iter(answers.errors.items()))
                raise ModelRejected(f"The version cannot classify {texts[first + place]!r}: {reason}.")
            rows.extend(answers.probabilities)
        return np.array(rows, dtype=np.float64).reshape(len(texts), len(predictor.labels))

    return classify


def answer(
    classify: Classify, model_labels: Sequence[str], rows: Sequence[LabelledTexts], labels: Sequence[str]
) -> ModelAnswers:
    """Classify labelled rows; where the data know no neutral, negative and positive share what neutral got.

    Raises:
        InvalidInput: the data have labels that the model does not answer with, or there is no labelled row.
    """
    require_labels(model_labels, labels)
    if not rows:
        raise InvalidInput("The data have no labelled row: push a version with --label-column.", "data")
    places = {label: place for place, label in enumerate(labels)}
    ids = np.array([places[row.label or ""] for row in rows], dtype=np.int64)
    probabilities = classify([row.text for row in rows])
    if tuple(model_labels) == tuple(labels):
        return ModelAnswers(ids, probabilities, None)
    shared = probabilities[:, [list(model_labels).index(label) for label in labels]]
    neutral = float((probabilities.argmax(axis=1) == list(model_labels).index("neutral")).mean())
    return ModelAnswers(ids, shared / shared.sum(axis=1, keepdims=True), neutral)


def require_labels(model_labels: Sequence[str], labels: Sequence[str]) -> None:
    """Raise InvalidInput unless the model answers with the data's labels, or with these and neutral."""
    comparable = {(tuple(THREE_CLASSES), tuple(TWO_CLASSES))}
    if tuple(model_labels) != tuple(labels) and (tuple(model_labels), tuple(labels)) not in comparable:
        raise InvalidInput(
            f"The version answers with {', '.join(model_labels)}; the data are labelled {', '.join(labels)}. "
            "Evaluate it on data of its own labels.",
            "data",
        )


def evaluate(
    subject: EvaluatedVersion,
    data: EvaluationTexts,
    rows: Sequence[LabelledTexts],
    answers: ModelAnswers,
    *,
    slices: bool,
) -> Evaluation:
    """Return figures, mistakes and, if asked for, slices of a version's answers to labelled rows."""
    ids, probabilities, labels = answers.ids, answers.probabilities, data.labels
    predictions = probabilities.argmax(axis=1)
    return Evaluation(
        subject=subject,
        data=data,
        figures=measure(ids, probabilities, labels),
        reliability=reliability(probabilities, ids),
        mistakes=_mistakes(rows, ids, probabilities, labels),
        called_neutral=answers.called_neutral,
        slices=cut_slices(rows, ids, predictions, len(labels)) if slices else (),
        empty_slices=empty_slices(rows) if slices else (),
    )


def behave(
    classify: Classify, labels: Sequence[str], normalizer: str, rows: Sequence[SliceRow], *, cases: int, seed: int
) -> tuple[CheckOutcome, ...]:
    """Run the behaviour tests on a version that answers with `labels`, typos in the data's own texts among them."""
    sample = [row.text for row in rows[:: max(len(rows) // _SAMPLE, 1)]]
    return run_tests(
        make_tests(labels, cases=cases, seed=seed, texts=sample), classify, labels, NORMALIZERS[normalizer]
    )


def set_against(
    answers: ModelAnswers, other: ModelAnswers, subject: EvaluatedVersion, labels: Sequence[str], *, seed: int = 0
) -> VersionComparison:
    """Compare two versions' answers to the same rows; `subject` is the other one."""
    first, second = (each.probabilities.argmax(axis=1) for each in (answers, other))
    return VersionComparison(
        subject=subject,
        figures=measure(other.ids, other.probabilities, labels),
        differences=compare(answers.ids, first, second, len(labels), seed=seed),
    )


def _mistakes(
    rows: Sequence[LabelledTexts], ids: NDArray[np.int64], probabilities: NDArray[np.float64], labels: Sequence[str]
) -> tuple[Mistake, ...]:
    predictions, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predictions != ids)
    surest = wrong[np.argsort(-confidence[wrong], kind="stable")][:_MISTAKES]
    return tuple(_mistake(rows[place], labels[predictions[place]], confidence[place]) for place in surest.tolist())


def _mistake(row: LabelledTexts, prediction: str, confidence: float) -> Mistake:
    return Mistake(row.text[:_SHOWN_CHARACTERS], row.label or "", prediction, float(confidence))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        parts = [_plain(part) for part in value]
        return dict(zip(value._fields, parts, strict=True)) if hasattr(value, "_fields") else parts
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and math.isnan(value) else value
