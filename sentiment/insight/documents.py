"""Makes what the index holds of a stored text."""

from __future__ import annotations

from sentiment.insight.values import IndexedText
from sentiment.insight.words import indexed_words
from sentiment.records import TextRecord


def indexed_text(record: TextRecord, revision: int) -> IndexedText:
    """Return a stored text as the index holds it; `revision` grows with every change of the record."""
    return IndexedText(
        id=record.id,
        revision=revision,
        words=indexed_words(record.text),
        created_at_ms=record.created_at_ms,
        topics=record.topics,
        source=record.source,
        language=record.language,
        label=record.label,
        author_key=record.author_key,
        sentiment=record.sentiment,
        model_version=record.model_version,
    )
