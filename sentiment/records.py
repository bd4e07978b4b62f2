"""The records that travel between the parts and into the store. Times are Unix epoch milliseconds (`_ms`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class RawText:
    """A text as a client sent it, before it is normalised and masked. Never stored.

    `spare_id` is used as the id of a text without one, so that a repeated request gives it the same id.
    """

    text: str
    id: str | None = None
    created_at_ms: int | None = None
    source: str | None = None
    author: str | None = None
    topics: tuple[str, ...] = ()
    spare_id: str | None = None


@dataclass(frozen=True, slots=True)
class CleanText:
    """A text after the Preprocessor: what the model reads and what may be stored.

    `text` is normalised, `stored_text` what goes into the store (the same, unless raw texts are asked for), `text_key`
    an HMAC of the raw text (equal for the same text only), `near_key` shared by near duplicates, `author_key` an HMAC.
    """

    text: str
    stored_text: str
    text_key: str
    near_key: str
    author_key: str | None
    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Feedback:
    """The true label of a text according to `source`; the text's own label stays as it is."""

    source: str
    label: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class TextRecord:
    """One text as the store keeps it; the fields of its label are None until a model or a client has labelled it.

    `feedback` has the latest feedback of each source, the earliest first. `language` is an ISO 639 code, None if
    unknown. `supported` is false if the model could not read the text; the label is then the prior's.
    """

    id: str
    text: str
    text_key: str
    near_key: str
    created_at_ms: int
    received_at_ms: int
    source: str | None = None
    author_key: str | None = None
    topics: tuple[str, ...] = ()
    label: str | None = None
    score: float | None = None
    sentiment: float | None = None
    probabilities: Mapping[str, float] | None = None
    truncated: bool = False
    model: str | None = None
    model_version: int | None = None
    labelled_at_ms: int | None = None
    labelled_by: str | None = None  # "model" or "client"
    expires_at_ms: int | None = None
    language: str | None = None
    supported: bool = True
    feedback: tuple[Feedback, ...] = ()


@dataclass(frozen=True, slots=True)
class PutText:
    """Store a text, with or without a label.

    An id names one text. With the same `text_key`, the later `labelled_at_ms` wins; with another `text_key` it is a
    conflict and nothing changes. `claimed` says that a client chose the id, so that a conflict is possible.
    """

    record: TextRecord
    claimed: bool = False


@dataclass(frozen=True, slots=True)
class SetLabel:
    """Give a stored text a label (a client's); probabilities and score are then None, sentiment is −1, 0 or 1."""

    id: str
    label: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class AddFeedback:
    """Store the feedback of `source` about a stored text; its latest feedback counts."""

    id: str
    label: str
    source: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class DeleteText:
    """Delete a text; a put received before `at_ms` never restores it."""

    id: str
    at_ms: int


Operation = PutText | SetLabel | AddFeedback | DeleteText


class Outcome(StrEnum):
    """Result of one operation."""

    DONE = "done"
    CONFLICT = "conflict"
    NOT_FOUND = "not_found"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class TextQuery:
    """Which texts to list; fields that are None do not filter. `search` takes words, all of which must occur."""

    label: str | None = None
    source: str | None = None
    topic: str | None = None
    author_key: str | None = None
    model_version: int | None = None
    created_from_ms: int | None = None  # inclusive
    created_to_ms: int | None = None  # exclusive
    search: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of texts, newest first, and the cursor that continues after it (None on the last page)."""

    records: list[TextRecord]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Changes:
    """The texts that were written, labelled, deleted or expired after a revision: their ids, each once."""

    ids: list[str]
    #: Of the last of them: ask for those after it next. Every change has a revision, and these only grow.
    revision: int
    #: False where some are not kept any more, or the store is another one than it was: read all texts anew.
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Document:
    """A small JSON object kept beside the texts (traffic table, API key); `generation` counts its writes from 1."""

    kind: str
    name: str
    generation: int
    body: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of a classifier for a list of texts; lists have one entry for each text, in the same order."""

    model: str
    version: int
    labels: tuple[str, ...]
    probabilities: list[tuple[float, ...] | None]
    """One probability for each label; None for a text that failed."""
    truncated: list[bool]
    errors: dict[int, str]
    """Reasons of texts that failed, by position."""
    tokens: int
    """Word pieces of the call without padding."""
    padded_tokens: int
    """Word pieces of the call with padding."""
    inference_ms: float
    languages: list[str | None]
    """ISO 639 codes, None if unknown."""
    supported: list[bool]
    """False if the version cannot read the text; its probabilities are then the prior unless the gate was off."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The words that moved an answer: `weights[i]`, in [−2, 2], is the fall of the sentiment without word i.

    All weights are 0 if the version cannot read the text.
    """

    words: list[str]
    weights: list[float]
    label: str
    sentiment: float
    probabilities: dict[str, float]
    truncated: bool
    model: str
    version: int
    language: str | None = None
    supported: bool = True
