"""Which operations are promised: a pure decision from what is known of their ids."""

from __future__ import annotations

from collections.abc import Sequence

from sentiment.records import AddFeedback, Operation, Outcome, PutText, SetLabel

#: What is known of ids: the text's key, or None where there is no text. An id that is missing may be either.
Known = dict[str, str | None]


def is_certain(operation: Operation) -> bool:
    """Whether an operation can be promised unseen: a text whose id was made here collides with nothing."""
    return isinstance(operation, PutText) and not operation.claimed


def judge(operations: Sequence[Operation], known: Known) -> list[Outcome]:
    """Return the outcome to promise for each operation, in order; `known` follows what they change.

    Where the store's knowledge is missing, texts and deletions are promised: a late conflict is found when the store is
    back, and a tombstone is right in any case. A label, or feedback, for a text that may not exist is UNAVAILABLE.
    """
    return [_judge(operation, known) for operation in operations]


def is_journaled(operation: Operation, outcome: Outcome) -> bool:
    """Whether the store is to see the operation.

    A deletion always: the text may be on its way through another sink, and the tombstone stops it.
    """
    return outcome is Outcome.DONE or not isinstance(operation, PutText | SetLabel | AddFeedback)


def _judge(operation: Operation, known: Known) -> Outcome:
    if isinstance(operation, PutText):
        return _judge_put(operation, known)
    if isinstance(operation, SetLabel | AddFeedback):
        if operation.id not in known:
            return Outcome.UNAVAILABLE
        return Outcome.NOT_FOUND if known[operation.id] is None else Outcome.DONE
    outcome = Outcome.NOT_FOUND if known.get(operation.id, "") is None else Outcome.DONE
    known[operation.id] = None
    return outcome


def _judge_put(operation: PutText, known: Known) -> Outcome:
    record = operation.record
    if operation.claimed and known.get(record.id) not in (None, record.text_key):
        return Outcome.CONFLICT
    known[record.id] = record.text_key
    return Outcome.DONE
