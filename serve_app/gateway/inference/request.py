"""The stages of a text in a gateway: submitted, prepared, the request to a version, and its result."""

from __future__ import annotations

from dataclasses import dataclass

from sentiment.errors import InvalidInput
from sentiment.records import Answers, CleanText, RawText
from serve_app.gateway.inference.answer_cache import CachedAnswer
from serve_app.routing.traffic_table import Route, TrafficTable


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    """A text for the version of a route."""

    text: str
    """Normalised by that version's normaliser."""
    route: Route
    fallback: Route | None = None
    """The route that answers if that one fails or is late."""
    fallback_text: str | None = None
    """The text as normalised for the fallback, None where it is the same."""

    @property
    def for_fallback(self) -> InferenceRequest | None:
        """The request to the fallback, None without one."""
        text = self.text if self.fallback_text is None else self.fallback_text
        return None if self.fallback is None else InferenceRequest(text, self.fallback)


@dataclass(frozen=True, slots=True)
class InferenceResult:
    """A version's answer to one text."""

    route: Route
    answer: CachedAnswer
    inference_ms: float = 0.0
    """Duration of the forward pass; 0 for an answer from the cache."""
    call_ms: float | None = None
    """Duration of the call; None where no call was made for it."""

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
    """A text, and the route that is to answer it. Times are seconds of `perf_counter`."""

    raw: RawText
    arrived: float
    """When it arrived at the gateway."""
    handed: float
    """When the route was chosen."""
    route: Route
    pinned: bool
    """Whether its caller named the version, so that no other may answer."""
    by_chance: bool
    """Whether the traffic's weights choose the route, rather than a pin or the fixed split."""
    bulk: bool
    """Whether it came in a batch or a stream."""
    undrawn: bool = False
    """Whether the route is to be drawn when the micro-batch is sent."""
    refused: bool = False
    """Whether the route's queue had no room."""


@dataclass(frozen=True, slots=True)
class PreparedText:
    """A submitted text, its cleaned form, and the request to the version that is called."""

    submitted: SubmittedText
    clean: CleanText
    request: InferenceRequest

    def passed_over(self, table: TrafficTable) -> bool:
        """Whether the chosen route, which still gets texts, was not called because it had no room or was late."""
        route = table.of_version(self.submitted.route.version)
        return route is not None and route.version != self.request.route.version and gets_texts(table, route)


def gets_texts(table: TrafficTable, route: Route) -> bool:
    """Whether a route gets texts by weight or by the fixed split."""
    return route.weight > 0 or route.version in table.split.values()


def metric_labels(route: Route) -> tuple[str, str]:
    """Return the values of a version's labels in metrics: model and version."""
    return route.model, str(route.version)


def answer_of(answers: Answers, index: int) -> CachedAnswer:
    """Return the answer to one text. Raises InvalidInput where the model failed on it."""
    probabilities = answers.probabilities[index]
    if probabilities is None:
        raise InvalidInput(f"the model cannot read this text: {answers.errors.get(index, 'no answer')}", "text")
    return CachedAnswer(probabilities, answers.truncated[index], answers.languages[index], answers.supported[index])
