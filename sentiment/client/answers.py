"""What the HTTP API takes and gives, as its clients see it."""

from __future__ import annotations

from typing import NotRequired, TypedDict, final


class Item(TypedDict):
    """A text to classify; `created_at` is ISO 8601 with a zone."""

    text: str
    id: NotRequired[str]
    created_at: NotRequired[str]
    source: NotRequired[str]
    author: NotRequired[str]
    topics: NotRequired[list[str]]


class FeedbackItem(TypedDict):
    """What `source` says that the label of a kept text truly is."""

    id: str
    label: str
    source: str


class AnsweringModel(TypedDict):
    """The model version that answered."""

    name: str
    version: int


class _Verdict(TypedDict):
    """How the writer of a text feels, by which model version."""

    label: str
    sentiment: float
    """From −1 to 1."""
    verdict: str
    probabilities: dict[str, float]
    model: AnsweringModel
    truncated: bool
    language: str | None
    """A code of ISO 639, None where it cannot be told."""
    supported: bool
    """False where the model cannot read the text."""


@final
class Answer(_Verdict):
    """What the API says about a text."""

    id: str
    score: float
    timing_ms: dict[str, float]


class Problem(TypedDict):
    """What is wrong with a text: a code, a message that can be shown, and the field that it is about."""

    code: str
    message: str
    field: str | None


@final
class RefusedItem(TypedDict):
    """A text of a batch or a stream that could not be classified, under the `id` that was sent."""

    error: Problem
    id: NotRequired[str | None]


#: One entry of a batch or a stream.
Result = Answer | RefusedItem


class ExplainedAnswer(_Verdict):
    """Which words moved an answer: sentiment falls by `weights[i]` when `words[i]` is left out."""

    words: list[str]
    weights: list[float]
