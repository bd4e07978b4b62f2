"""What tantivy keeps of a text: words with their positions, fields to filter by, numbers to order and add up; no text.

One entry an id. A deleted text leaves an entry with its revision (`state` is DELETED), so that an older revision that
comes late finds it. One more entry (`state` is POSITION) says up to where the index has everything: it is replaced
within each commit, so that content and position are never apart.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import tantivy

from sentiment.insight.ordering import newest_key, sentiment_key
from sentiment.insight.values import UNLABELLED, Deletion, IndexedText

#: Grows whenever the fields change: an index of another schema is rebuilt.
SCHEMA_VERSION: Final = 3

DELETED: Final = "deleted"
POSITION: Final = "position"
_BLANKS: Final = "blanks"
#: Between label and version in `group`; neither has it.
_BETWEEN: Final = "|"


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("words", fast=True, tokenizer_name=_BLANKS, index_option="position")
    for name in ("topics", "source", "language", "author", "group"):
        builder.add_text_field(name, fast=True, tokenizer_name="raw", index_option="basic")
    for name in ("label", "version", "state"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("position", stored=True, tokenizer_name="raw", index_option="basic")
    for name in ("time", "revision", "newest", "positive", "negative", "topic_count"):
        builder.add_integer_field(name, fast=True)
    builder.add_float_field("sentiment", fast=True)
    return builder.build()


SCHEMA: Final = _schema()


def open_index(folder: Path) -> tantivy.Index:
    """Open the index of a folder, or make one there."""
    index = tantivy.Index(SCHEMA, path=str(folder))
    blanks = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
    index.register_tokenizer(_BLANKS, blanks)  # it is not kept with the index: without it each write fails
    index.register_fast_field_tokenizer(_BLANKS, blanks)
    index.config_reader("manual")  # readers change over when a commit is whole, and at no other time
    return index


def entry_of(change: IndexedText | Deletion) -> tantivy.Document:
    """Return what is kept of a text, or of one that is gone."""
    if isinstance(change, Deletion):
        return tantivy.Document(id=change.id, revision=change.revision, state=DELETED)
    return tantivy.Document(**{name: value for name, value in _values_of(change).items() if value is not None})


def _values_of(text: IndexedText) -> dict[str, object]:
    label = text.label or UNLABELLED
    version = "" if text.model_version is None else str(text.model_version)
    return {
        "id": text.id,
        "revision": text.revision,
        "words": " ".join(text.words),
        "topics": list(text.topics),
        "topic_count": len(set(text.topics)),
        "source": text.source,
        "language": text.language,
        "label": label,
        "author": text.author_key,
        "version": version or None,
        "group": f"{label}{_BETWEEN}{version}",
        "time": text.created_at_ms,
        "newest": newest_key(text),
        "sentiment": text.sentiment,
        "positive": sentiment_key(text, "positive"),
        "negative": sentiment_key(text, "negative"),
    }


def entry_of_position(position: str, commits: int) -> tantivy.Document:
    """Return the entry with the position of the index, and the number of its commits."""
    return tantivy.Document(state=POSITION, position=json.dumps([position, commits]))


def position_in(entry: tantivy.Document) -> tuple[str, int]:
    """Return what `entry_of_position` was made of."""
    position, commits = json.loads(str(entry.get_first("position")))
    return str(position), int(commits)


def label_and_version(group: str) -> tuple[str, str]:
    """Return the label and the model version, empty for none, of a group."""
    label, _, version = group.rpartition(_BETWEEN)
    return label, version
