"""Decides which operations are promised, as a pure function of what is known about their ids."""

from __future__ import annotations

from collections.abc import Sequence

from sentiment.records import AddFeedback, Operation, Outcome, PutText, SetLabel

#: The text's key by id, None if there is no text; nothing is known about an id that is missing.
KnownKeys = dict[str, str | None]


def is_certain(operation: Operation) -> bool:
    """Return whether an operation can be promised without a look-up: an id that was made here is always new."""
    return isinstance(operation, PutText) and not operation.claimed


def promised_outcomes(operations: Sequence[Operation], keys: KnownKeys) -> list[Outcome]:
    """Return the outcome to promise for each operation, in order; `keys` is updated with their changes.

    If nothing is known about an id, texts and deletions are promised: a late conflict is found when the store is back,
    and a tombstone is always right. A label or feedback for a text that may not exist is UNAVAILABLE.
    """
    return [_promise(operation, keys) for operation in operations]


def is_journaled(operation: Operation, outcome: Outcome) -> bool:
    """Return whether the operation goes to the store.

    A deletion always does: the text may be on its way through another sink, and the tombstone stops it.
    """
    return outcome is Outcome.DONE or not isinstance(operation, PutText | SetLabel | AddFeedback)


def _promise(operation: Operation, keys: KnownKeys) -> Outcome:
    if isinstance(operation, PutText):
        return _promise_put(operation, keys)
    if isinstance(operation, SetLabel | AddFeedback):
        if operation.id not in keys:
            return Outcome.UNAVAILABLE
        return Outcome.NOT_FOUND if keys[operation.id] is None else Outcome.DONE
    outcome = Outcome.NOT_FOUND if keys.get(operation.id, "") is None else Outcome.DONE
    keys[operation.id] = None
    return outcome


def _promise_put(operation: PutText, keys: KnownKeys) -> Outcome:
    record = operation.record
    if operation.claimed and keys.get(record.id) not in (None, record.text_key):
        return Outcome.CONFLICT
    keys[record.id] = record.text_key
    return Outcome.DONE
