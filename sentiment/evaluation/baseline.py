"""The linear baseline: TF-IDF of words, or of words and characters, under logistic regression or a linear SVM.

A neural model that does not beat it is not worth its cost. It is fitted and measured in a process of its own and
chosen on the validation texts. Only its figures and its predictions of the test texts are kept, not the model.

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
#: Candidates on each kind of features: a model and its inverse regularisation strength C.
_CANDIDATES: Final = ((_REGRESSION, 1.0), (_REGRESSION, 4.0), (_SVM, 0.1), (_SVM, 0.4))
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
    """Figures of the chosen linear model; accuracies and recall are shares in [0, 1]."""

    chosen: str
    tried: int
    parameters: int
    """Weights and biases."""
    fit_s: float
    """Time to fit the chosen model, features included."""
    search_s: float
    """Time to fit all candidates."""
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
    figures = run_in_child(__name__, request, _TIMEOUT_S)
    return BaselineFigures(**{**figures, "test_predictions": tuple(figures["test_predictions"])})


@dataclass(frozen=True)
class _Candidate:
    """A fitted candidate with its vectoriser; `score` is its macro-recall on the validation texts."""

    name: str
    features: Any
    model: Any
    score: float
    fit_s: float

    def predict(self, texts: Sequence[str]) -> list[str]:
        """Return a label for each text."""
        labels: list[str] = self.model.predict(self.features.transform(texts)).tolist()
        return labels


def work(request: Mapping[str, Any]) -> dict[str, Any]:
    """Fit, choose and measure; called in the child."""
    train, validation, test = (BaselineSplit(**request[name]) for name in ("train", "validation", "test"))
    began = time.perf_counter()
    tried = [candidate for features in _feature_names(train.texts) for candidate in _fit(features, train, validation)]
    search_s = time.perf_counter() - began
    best = max(tried, key=lambda candidate: candidate.score)
    started = time.perf_counter()
    predictions = best.predict(test.texts)
    texts_per_s = len(test.texts) / (time.perf_counter() - started)
    figures = BaselineFigures(
        chosen=best.name,
        tried=len(tried),
        parameters=int(best.model.coef_.size + best.model.intercept_.size),
        fit_s=best.fit_s,
        search_s=search_s,
        train_accuracy=_accuracy(train.labels, best.predict(train.texts)),
        validation_accuracy=_accuracy(validation.labels, best.predict(validation.texts)),
        test_accuracy=_accuracy(test.labels, predictions),
        test_macro_recall=_macro_recall(test.labels, predictions),
        test_predictions=tuple(predictions),
        texts_per_s=texts_per_s,
        peak_memory_bytes=peak_memory_bytes(),
    )
    return asdict(figures)


def _accuracy(labels: Sequence[str], predictions: Sequence[str]) -> float:
    return sum(one == other for one, other in zip(labels, predictions, strict=True)) / len(labels)


def _macro_recall(labels: Sequence[str], predictions: Sequence[str]) -> float:
    """Return the mean recall over all labels that occur in `labels` or `predictions`."""
    places = {label: place for place, label in enumerate(sorted({*labels, *predictions}))}
    ids, prediction_ids = ([places[label] for label in part] for part in (labels, predictions))
    return macro_recall(ids, prediction_ids, len(places))


def _feature_names(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the kinds of features to try; characters only where the corpus is short enough."""
    short = sum(map(len, texts)) <= MOST_CHARACTERS
    return (_WORDS, _CHARACTERS) if short else (_WORDS,)


def _fit(name: str, train: BaselineSplit, validation: BaselineSplit) -> list[_Candidate]:
    """Return all candidates on one kind of features, fitted and scored on the validation texts."""
    began = time.perf_counter()
    features = _features(name, len(train.texts))
    train_features = features.fit_transform(train.texts)
    validation_features, features_s = features.transform(validation.texts), time.perf_counter() - began
    candidates = []
    for kind, strength in _CANDIDATES:
        started = time.perf_counter()
        model = _model(kind, strength).fit(train_features, train.labels)
        fit_s = features_s + time.perf_counter() - started
        score = _macro_recall(validation.labels, model.predict(validation_features).tolist())
        candidates.append(_Candidate(f"{name}, {kind}, C {strength:g}", features, model, score, fit_s))
    return candidates


def _features(name: str, texts: int) -> Any:
    """Return an unfitted vectoriser; in large corpora it leaves out n-grams that occur in one text only."""
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
