"""An answer to a text, before it is written as JSON."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sentiment.labels import sentiment_of
from serve_app.gateway.inference.request import InferenceResult


@dataclass(frozen=True, slots=True)
class Timing:
    """The parts of a request's time, in milliseconds."""

    queue: float
    preprocess: float
    inference: float
    total: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """An answer that has been stored, unless it was only a probe."""

    id: str
    labels: tuple[str, ...]
    probabilities: tuple[float, ...]
    truncated: bool
    model: str
    version: int
    timing: Timing
    language: str | None = None
    supported: bool = True

    @property
    def score(self) -> float:
        """Probability of the label."""
        return max(self.probabilities)

    @property
    def label(self) -> str:
        """The likeliest label."""
        return self.labels[self.probabilities.index(self.score)]

    @property
    def sentiment(self) -> float:
        """P(positive) − P(negative), in [−1, 1]."""
        return sentiment_of(self.probabilities, self.labels)


def prediction_of(id_: str, result: InferenceResult, arrived: float, started: float, cleaned: float) -> Prediction:
    """Return the answer that a caller gets.

    The times are seconds of `perf_counter`: the text's arrival, the start of its micro-batch, and the end of cleaning.
    """
    timing = Timing(
        queue=(started - arrived) * 1000,
        preprocess=(cleaned - started) * 1000,
        inference=result.inference_ms,
        total=(time.perf_counter() - arrived) * 1000,
    )
    route, answer = result.route, result.answer
    return Prediction(
        id_,
        route.labels,
        answer.probabilities,
        answer.truncated,
        route.model,
        route.version,
        timing,
        answer.language,
        answer.supported,
    )
