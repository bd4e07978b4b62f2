"""Operations as bytes, and back: what a frame of the journal holds. Plain values in MessagePack, nothing executable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

import msgpack

from sentiment.records import AddFeedback, DeleteText, Operation, PutText, SetLabel, TextRecord

FORMAT: Final = 1

#: The record's fields in the order in which they are written. New ones go to the end: journals outlive an upgrade.
#: Feedback is none of them: it comes by operations of its own.
RECORD_FIELDS: Final = (
    "id",
    "text",
    "text_key",
    "near_key",
    "created_at_ms",
    "received_at_ms",
    "source",
    "author_key",
    "topics",
    "label",
    "score",
    "sentiment",
    "probabilities",
    "truncated",
    "model",
    "model_version",
    "labelled_at_ms",
    "labelled_by",
    "expires_at_ms",
    "language",
    "supported",
)
_PUT, _LABEL, _DELETE, _FEEDBACK = 0, 1, 2, 3
_OTHERS: Final[Mapping[int, Callable[..., Operation]]] = {
    _LABEL: SetLabel,
    _DELETE: DeleteText,
    _FEEDBACK: AddFeedback,
}
_values_of = attrgetter(*RECORD_FIELDS)


def encode_operations(operations: Sequence[Operation]) -> bytes:
    """Return the operations as bytes."""
    rows = [_row(operation) for operation in operations]
    packed: bytes = msgpack.packb([FORMAT, rows], default=_plain, unicode_errors="surrogatepass")
    return packed


def decode_operations(payload: bytes) -> list[Operation]:
    """Return the operations of `encode_operations`.

    Raises:
        ValueError: the bytes are of another format.
    """
    version, rows = msgpack.unpackb(payload, use_list=False, unicode_errors="surrogatepass")
    if version != FORMAT:
        raise ValueError(f"the journal's format {version!r} is unknown here; this code reads {FORMAT}")
    return [_operation(*row) for row in rows]


def _row(operation: Operation) -> tuple[Any, ...]:
    if isinstance(operation, PutText):
        return _PUT, operation.claimed, _values_of(operation.record)
    if isinstance(operation, SetLabel):
        return _LABEL, operation.id, operation.label, operation.at_ms
    if isinstance(operation, AddFeedback):
        return _FEEDBACK, operation.id, operation.label, operation.source, operation.at_ms
    return _DELETE, operation.id, operation.at_ms


def _operation(kind: int, *values: Any) -> Operation:
    if kind == _PUT:
        claimed, fields = values
        return PutText(TextRecord(**dict(zip(RECORD_FIELDS, fields, strict=False))), claimed)
    return _OTHERS[kind](*values)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} cannot be journaled")
