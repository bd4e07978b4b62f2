"""What the HTTP API takes and gives, as its clients see it."""

from __future__ import annotations

from typing import NotRequired, TypedDict


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


class Answer(TypedDict):
    """What the API says about a text. `sentiment` is in [−1, 1], `timing_ms` in milliseconds.

    `language` is a code of ISO 639, None where it cannot be told. A text that is not `supported` the model cannot read.
    """

    id: str
    label: str
    score: float
    sentiment: float
    verdict: str
    probabilities: dict[str, float]
    model: AnsweringModel
    truncated: bool
    language: str | None
    supported: bool
    timing_ms: dict[str, float]


class Problem(TypedDict):
    """What is wrong with a text: a code, a message that can be shown, and the field that it is about."""

    code: str
    message: str
    field: str | None


class Result(TypedDict, total=False):
    """One entry of a batch or a stream: the fields of an `Answer`, or `error` with the `id` that was sent."""

    error: Problem
    id: str
    label: str
    score: float
    sentiment: float
    verdict: str
    probabilities: dict[str, float]
    model: AnsweringModel
    truncated: bool
    language: str | None
    supported: bool
    timing_ms: dict[str, float]


class ExplainedAnswer(TypedDict):
    """Which words moved an answer: sentiment falls by `weights[i]` when `words[i]` is left out."""

    words: list[str]
    weights: list[float]
    label: str
    sentiment: float
    verdict: str
    probabilities: dict[str, float]
    truncated: bool
    language: str | None
    supported: bool
    model: AnsweringModel
