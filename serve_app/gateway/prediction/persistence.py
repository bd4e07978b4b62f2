"""Stores answered texts, and refuses those whose id already names another text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sentiment.errors import Conflict, InvalidInput, NotFound, Unavailable, UndertoneError
from sentiment.identifiers import new_id
from sentiment.labels import sentiment_of
from sentiment.records import CleanText, Operation, Outcome, PutText, RawText, TextRecord
from sentiment.text import NO_WORDS
from serve_app.gateway.inference.request import InferenceOutcome, InferenceResult

_MS_PER_DAY: Final = 86_400_000


def with_words(clean: CleanText) -> CleanText:
    """Return the text. Raises InvalidInput if cleaning has left nothing of it."""
    if not clean.text:
        raise InvalidInput(f"text: {NO_WORDS}", "text")
    return clean


@dataclass(frozen=True)
class Persistence:
    """Stores texts by `write`, for `retention_days` days, or for ever if that is None."""

    write: Callable[[list[Operation], float], Awaitable[list[Outcome]]]
    retention_days: float | None
    now_ms: Callable[[], int]

    async def store(
        self, raws: Sequence[RawText], cleans: Sequence[CleanText], outcomes: Sequence[InferenceOutcome], wait_s: float
    ) -> list[tuple[str, InferenceOutcome]]:
        """Store answered texts; return each text's id and its outcome, which is an error if it could not be stored.

        The write may wait up to `wait_s` seconds to be made together with another one.
        """
        puts = [
            None if isinstance(result, Exception) else self.put(raw, clean, result)
            for raw, clean, result in zip(raws, cleans, outcomes, strict=True)
        ]
        operations: list[Operation] = [put for put in puts if put is not None]
        written = iter(await self.write(operations, wait_s) if operations else [])
        return [
            ("", result) if put is None else (put.record.id, problem_with(next(written), put.record.id) or result)
            for put, result in zip(puts, outcomes, strict=True)
        ]

    def put(self, raw: RawText, clean: CleanText, result: InferenceResult | None) -> PutText:
        """Return the operation that stores a text, with its answer if there is one."""
        now = self.now_ms()
        expires = None if self.retention_days is None else now + int(self.retention_days * _MS_PER_DAY)
        record = TextRecord(
            id=raw.id or raw.spare_id or new_id(now),
            text=clean.stored_text,
            text_key=clean.text_key,
            near_key=clean.near_key,
            created_at_ms=now if raw.created_at_ms is None else raw.created_at_ms,
            received_at_ms=now,
            source=raw.source,
            author_key=clean.author_key,
            topics=clean.topics,
            expires_at_ms=expires,
            **({} if result is None else _label_fields(result, now)),
        )
        return PutText(record, claimed=raw.id is not None)


def _label_fields(result: InferenceResult, now_ms: int) -> dict[str, Any]:
    labels, probabilities = result.route.labels, result.answer.probabilities
    return {
        "label": result.label,
        "score": result.confidence,
        "sentiment": sentiment_of(probabilities, labels),
        "probabilities": dict(zip(labels, probabilities, strict=True)),
        "truncated": result.answer.truncated,
        "language": result.answer.language,
        "supported": result.answer.supported,
        "model": result.route.model,
        "model_version": result.route.version,
        "labelled_at_ms": now_ms,
        "labelled_by": "model",
    }


def problem_with(outcome: Outcome, id_: str) -> UndertoneError | None:
    """Return the error that an outcome means for the text with that id; None where there is none."""
    if outcome is Outcome.NOT_FOUND:
        return NotFound(f"there is no text with the id {id_!r}")
    if outcome is Outcome.CONFLICT:
        return Conflict(f"id {id_!r} already names another text; choose another id, or send the same text again", "id")
    return Unavailable("the text store does not answer; try again soon") if outcome is Outcome.UNAVAILABLE else None
