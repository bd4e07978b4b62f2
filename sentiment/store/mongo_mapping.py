"""Texts, tombstones and documents as MongoDB keeps them, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, Final

from bson.datetime_ms import DatetimeMS

from sentiment.records import Document, Feedback, TextQuery, TextRecord
from sentiment.store.state import TOMBSTONE_MS, StoreState
from sentiment.store.words import words_of, words_to_find

Fields = dict[str, Any]
_FIELDS: Final = tuple(field.name for field in fields(TextRecord))


def where_of(query: TextQuery) -> Fields:
    """Return what a query asks for as MongoDB's own."""
    bounds = {"$gte": query.created_from_ms, "$lt": query.created_to_ms}
    conditions = {
        "label": query.label,
        "source": query.source,
        "author_key": query.author_key,
        "model_version": query.model_version,
        "created_at_ms": {operator: bound for operator, bound in bounds.items() if bound is not None} or None,
        "topics": None if query.topic is None else {"$all": [query.topic]},
        "words": None if query.search is None else {"$all": words_to_find(query.search)},
    }
    return {"live": True} | {name: condition for name, condition in conditions.items() if condition is not None}


def tombstone_fields(state: StoreState) -> Fields:
    """Return what a deleted text leaves beside its id."""
    return {"expires_at": DatetimeMS((state.deleted_at_ms or 0) + TOMBSTONE_MS)}


def text_fields(record: TextRecord) -> Fields:
    """Return what is kept of a text beside its id."""
    values = {name: getattr(record, name) for name in _FIELDS}
    values["topics"] = list(record.topics)
    values["probabilities"] = record.probabilities and dict(record.probabilities)
    values["feedback"] = [asdict(word) for word in record.feedback]
    values["words"] = words_of(record.text)
    if record.expires_at_ms is not None:
        values["expires_at"] = DatetimeMS(record.expires_at_ms)
    return values


def record_of(values: Mapping[str, Any]) -> TextRecord:
    """Return a text from its document."""
    stored = {name: values[name] for name in _FIELDS if name in values}  # texts of earlier releases lack the newer ones
    feedback = tuple(Feedback(**word) for word in values.get("feedback", ()))
    return TextRecord(**stored | {"topics": tuple(stored["topics"]), "feedback": feedback})


def document_of(values: Mapping[str, Any]) -> Document:
    """Return one of the small documents."""
    return Document(values["kind"], values["name"], values["generation"], json.loads(values["body"]))
