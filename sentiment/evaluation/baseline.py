"""The linear baseline: TF-IDF of words, or of words and characters, under logistic regression or a linear SVM.

A neural model that does not beat it is not worth its price. It is fitted and measured in a process of its own and
chosen on validation; only its figures and what it said of the test texts are kept: no model of it is stored.

python -m sentiment.evaluation.baseline < request.json
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple

from sentiment.evaluation.child import answer_parent, peak_memory_bytes, run_in_child
from sentiment.evaluation.metrics import macro_recall
from sentiment.text import MARKS

_TIMEOUT_S: Final = 3600.0
#: Character n-grams of longer corpora take gigabytes and many minutes.
MOST_CHARACTERS: Final = 8_000_000
_LEAST_TEXTS: Final = 2
_REGRESSION: Final = "logistic regression"
_SVM: Final = "linear SVM"
#: What is tried on each kind of features: a model, and its C (how little it is held back).
_TRIED: Final = ((_REGRESSION, 1.0), (_REGRESSION, 4.0), (_SVM, 0.1), (_SVM, 0.4))
_WORDS: Final = "words"
_CHARACTERS: Final = "words and characters"
_WORD: Final = rf"(?u)[\w{MARKS}]+|[^\w\s{MARKS}]"
_MANY_TEXTS: Final = 1000
_MOST_STEPS: Final = 1000
_SEED: Final = 0


class BaselineSplit(NamedTuple):
    """Normalised texts and their labels."""

    texts: Sequence[str]
    labels: Sequence[str]


@dataclass(frozen=True)
class BaselineFigures:
    """What the chosen linear model reached: shares in [0, 1], `parameters` its weights and biases.

    `fit_s` is the time of that one model, features included; `search_s` that of all that were tried.
    """

    chosen: str
    tried: int
    parameters: int
    fit_s: float
    search_s: float
    train_accuracy: float
    validation_accuracy: float
    test_accuracy: float
    test_macro_recall: float
    test_predictions: tuple[str, ...]
    texts_per_s: float
    peak_memory_bytes: int


def measure_baseline(train: BaselineSplit, validation: BaselineSplit, test: BaselineSplit) -> BaselineFigures:
    """Fit every candidate on `train`, take the one with the best macro-recall on `validation`, and measure it.

    Raises:
        Unavailable: the fitting process failed; most likely it ran out of memory.
    """
    splits = {"train": train, "validation": validation, "test": test}
    request = {name: {"texts": list(split.texts), "labels": list(split.labels)} for name, split in splits.items()}
    found = run_in_child(__name__, request, _TIMEOUT_S)
    return BaselineFigures(**{**found, "test_predictions": tuple(found["test_predictions"])})


@dataclass(frozen=True)
class _Candidate:
    """A model that was tried: its features, fitted, and its macro-recall on validation."""

    name: str
    features: Any
    model: Any
    score: float
    fit_s: float

    def predict(self, texts: Sequence[str]) -> list[str]:
        said: list[str] = self.model.predict(self.features.transform(texts)).tolist()
        return said


def work(request: Mapping[str, Any]) -> dict[str, Any]:
    """Fit, choose and measure; called in the child."""
    train, validation, test = (BaselineSplit(**request[name]) for name in ("train", "validation", "test"))
    began = time.perf_counter()
    tried = [candidate for features in _feature_names(train.texts) for candidate in _fit(features, train, validation)]
    search_s = time.perf_counter() - began
    best = max(tried, key=lambda candidate: candidate.score)
    started = time.perf_counter()
    said = best.predict(test.texts)
    texts_per_s = len(test.texts) / (time.perf_counter() - started)
    found = BaselineFigures(
        chosen=best.name,
        tried=len(tried),
        parameters=int(best.model.coef_.size + best.model.intercept_.size),
        fit_s=best.fit_s,
        search_s=search_s,
        train_accuracy=_accuracy(train.labels, best.predict(train.texts)),
        validation_accuracy=_accuracy(validation.labels, best.predict(validation.texts)),
        test_accuracy=_accuracy(test.labels, said),
        test_macro_recall=_macro_recall(test.labels, said),
        test_predictions=tuple(said),
        texts_per_s=texts_per_s,
        peak_memory_bytes=peak_memory_bytes(),
    )
    return asdict(found)


def _accuracy(labels: Sequence[str], said: Sequence[str]) -> float:
    return sum(one == other for one, other in zip(labels, said, strict=True)) / len(labels)


def _macro_recall(labels: Sequence[str], said: Sequence[str]) -> float:
    """Return the mean recall of the labels that stand in either."""
    places = {label: place for place, label in enumerate(sorted({*labels, *said}))}
    ids, predictions = ([places[label] for label in part] for part in (labels, said))
    return macro_recall(ids, predictions, len(places))


def _feature_names(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the kinds of features to try; characters only where the corpus is short enough."""
    short = sum(map(len, texts)) <= MOST_CHARACTERS
    return (_WORDS, _CHARACTERS) if short else (_WORDS,)


def _fit(name: str, train: BaselineSplit, validation: BaselineSplit) -> list[_Candidate]:
    """Return every model that is tried on one kind of features, fitted and judged on validation."""
    began = time.perf_counter()
    features = _features(name, len(train.texts))
    seen = features.fit_transform(train.texts)
    held_out, features_s = features.transform(validation.texts), time.perf_counter() - began
    found = []
    for kind, strength in _TRIED:
        started = time.perf_counter()
        model = _model(kind, strength).fit(seen, train.labels)
        fit_s = features_s + time.perf_counter() - started
        score = _macro_recall(validation.labels, model.predict(held_out).tolist())
        found.append(_Candidate(f"{name}, {kind}, C {strength:g}", features, model, score, fit_s))
    return found


def _features(name: str, texts: int) -> Any:
    """Return an unfitted vectoriser; what stands in one text only is left out where there are texts enough."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_union

    least = _LEAST_TEXTS if texts >= _MANY_TEXTS else 1
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=least, sublinear_tf=True, token_pattern=_WORD)
    if name == _WORDS:
        return words
    return make_union(words, TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=least, sublinear_tf=True))


def _model(kind: str, strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    if kind == _SVM:
        return LinearSVC(C=strength, class_weight="balanced", random_state=_SEED)
    return LogisticRegression(C=strength, class_weight="balanced", max_iter=_MOST_STEPS, random_state=_SEED)


if __name__ == "__main__":
    answer_parent(work)
