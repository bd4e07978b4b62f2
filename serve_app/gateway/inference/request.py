"""A text on its way through a gateway: as it was submitted, as a version is asked about it, and what that one says."""

from __future__ import annotations

from dataclasses import dataclass

from sentiment.errors import InvalidInput
from sentiment.records import Answers, CleanText, RawText
from serve_app.gateway.inference.answer_cache import CachedAnswer
from serve_app.routing.traffic_table import Route, TrafficTable


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    """A text for a route's version. `fallback` is the route that answers instead when that one cannot.

    `fallback_text` is the text as that one wants it, None where it is the same.
    """

    text: str
    route: Route
    fallback: Route | None = None
    fallback_text: str | None = None

    @property
    def for_fallback(self) -> InferenceRequest | None:
        """The request to the fallback, None where there is none."""
        text = self.text if self.fallback_text is None else self.fallback_text
        return None if self.fallback is None else InferenceRequest(text, self.fallback)


@dataclass(frozen=True, slots=True)
class InferenceResult:
    """The answer to one text; `inference_ms` of its forward pass, `call_ms` of the call, None where none was made."""

    route: Route
    answer: CachedAnswer
    inference_ms: float = 0.0
    call_ms: float | None = None

    @property
    def confidence(self) -> float:
        """Probability of the label."""
        return max(self.answer.probabilities)

    @property
    def label(self) -> str:
        """The likeliest label."""
        return self.route.labels[self.answer.probabilities.index(self.confidence)]


InferenceOutcome = InferenceResult | Exception


@dataclass(frozen=True, slots=True)
class SubmittedText:
    """A text, and the route that shall answer it; one that its caller pinned answers or nobody does.

    `by_chance`: neither a pin nor the fixed split chooses the route. `undrawn`: it is drawn when the text's micro-batch
    is sent. `refused`: the route's queue had no room. Times of `perf_counter`: `arrived` at the gateway, `handed` over
    to the route.
    """

    raw: RawText
    arrived: float
    handed: float
    route: Route
    pinned: bool
    by_chance: bool
    bulk: bool
    undrawn: bool = False
    refused: bool = False


@dataclass(frozen=True, slots=True)
class PreparedText:
    """A submitted text, what the Preprocessor made of it, and the request to the version that is asked."""

    submitted: SubmittedText
    clean: CleanText
    request: InferenceRequest

    def passed_over(self, table: TrafficTable) -> bool:
        """Whether the chosen route, which still gets texts, was not asked: it had no room or came too late."""
        route = table.of_version(self.submitted.route.version)
        return route is not None and route.version != self.request.route.version and gets_texts(table, route)


def gets_texts(table: TrafficTable, route: Route) -> bool:
    """Whether texts are given to a route without their callers' asking for it."""
    return route.weight > 0 or route.version in table.split.values()


def metric_labels(route: Route) -> tuple[str, str]:
    """Return the labels of a version in metrics."""
    return route.model, str(route.version)


def answer_of(answers: Answers, index: int) -> CachedAnswer:
    """Return one text's answer. Raises InvalidInput where the model failed on it."""
    probabilities = answers.probabilities[index]
    if probabilities is None:
        raise InvalidInput(f"the model cannot read this text: {answers.errors.get(index, 'no answer')}", "text")
    return CachedAnswer(probabilities, answers.truncated[index], answers.languages[index], answers.supported[index])
