"""What travels between the parts and into the store. Times are Unix epoch milliseconds (`_ms`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class RawText:
    """A text as a client sent it, before it is normalised and masked. Never stored.

    `spare_id` is the id that one without gets, where it must be the same when the request comes once more.
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
    """What `source` says that a text's label truly is. The label that the text has is another matter."""

    source: str
    label: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class TextRecord:
    """One text as the store keeps it. The label's fields are None until a model or a client has labelled it.

    `feedback` has the last word of each source, the earliest first. `language` is a code of ISO 639, None where nobody
    told it; `supported` is false where the label is the prior's, since the model could not read the text.
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
    """Keep a text, with or without a label.

    An id names one text: put again with the same `text_key`, the later `labelled_at_ms` wins; with another `text_key`
    it is a conflict and changes nothing. `claimed` says that a client chose the id, so that a conflict is possible.
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
    """Note what `source` says about a stored text; of two such words the later one counts."""

    id: str
    label: str
    source: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class DeleteText:
    """Forget a text. A put received before `at_ms` never brings it back."""

    id: str
    at_ms: int


Operation = PutText | SetLabel | AddFeedback | DeleteText


class Outcome(StrEnum):
    """What became of one operation."""

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
    """Which texts were written, labelled, deleted or expired after a revision: their ids, each once."""

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
    """What a classifier says about a list of texts, one entry a text and in the same order.

    `probabilities[i]` has one entry a label, or is None where text i failed; `errors[i]` then says why. `languages[i]`
    is a code of ISO 639, None where the language cannot be told. Where `supported[i]` is false the version cannot read
    the text, and `probabilities[i]` are the prior (`sentiment.labels.prior_of`) unless they were asked for as they are.
    `tokens` and `padded_tokens` count the useful and the executed word pieces of the call, `inference_ms` its time.
    """

    model: str
    version: int
    labels: tuple[str, ...]
    probabilities: list[tuple[float, ...] | None]
    truncated: list[bool]
    errors: dict[int, str]
    tokens: int
    padded_tokens: int
    inference_ms: float
    languages: list[str | None]
    supported: list[bool]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Which words moved an answer: `weights[i]` is how much sentiment falls when word i is left out, in [−2, 2].

    All are 0 where the version cannot read the text.
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
