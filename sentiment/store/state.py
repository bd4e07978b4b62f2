"""The effect of an operation on one id: pure functions that all stores share.

    PutText     nothing there             the text is kept                                        DONE
                same `text_key`           the later label wins, the later receipt time is kept    DONE
                other `text_key`          nothing changes                                         CONFLICT
                received before deletion  nothing changes: it is a replay                         DONE
    SetLabel    a text is there           the later label wins                                    DONE
                given before a deletion   nothing changes: it was for the text before             DONE
                no text                   nothing changes                                         NOT_FOUND
    AddFeedback as SetLabel, by source    the later word of a source counts                       as SetLabel
    DeleteText  text received by then     it goes, a tombstone stays                              DONE
                text received later       it stays: another one than was meant                    CONFLICT
                no text                   a tombstone stays                                       NOT_FOUND
                deleted then or later     nothing changes: it is a replay                         DONE

Times decide and not the order of arrival, so that a replay, or a late journal of another sink, changes nothing. Of two
labels of the same millisecond a client's wins. A text that comes after its predecessor's deletion keeps the tombstone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from sentiment.errors import InvalidInput
from sentiment.labels import NEGATIVE, NEUTRAL, POSITIVE
from sentiment.records import AddFeedback, DeleteText, Feedback, Operation, Outcome, PutText, SetLabel, TextRecord

#: How long a tombstone is kept: longer than any journal waits for the store.
TOMBSTONE_MS: Final = 30 * 24 * 3_600_000

#: Most sources of feedback for one text; the earliest are dropped.
MAX_SOURCES: Final = 32

CLIENT: Final = "client"
_SENTIMENT_OF_LABEL: Final = {NEGATIVE: -1.0, NEUTRAL: 0.0, POSITIVE: 1.0}


@dataclass(frozen=True, slots=True)
class StoreState:
    """The state of one id: its text, and when a text of that id was last deleted."""

    record: TextRecord | None = None
    deleted_at_ms: int | None = None


NOTHING: Final = StoreState()


def id_of(operation: Operation) -> str:
    """Return the id of an operation's text."""
    return operation.record.id if isinstance(operation, PutText) else operation.id


def fold(states: dict[str, StoreState], operations: Sequence[Operation]) -> list[Outcome]:
    """Apply operations in order to `states` (changed in place; a missing id is NOTHING); return their outcomes.

    A state that did not change stays the same object.

    Raises:
        InvalidInput: a label is none of the three.
    """
    outcomes = []
    for operation in operations:
        text_id = id_of(operation)
        states[text_id], outcome = step(states.get(text_id, NOTHING), operation)
        outcomes.append(outcome)
    return outcomes


def step(state: StoreState, operation: Operation) -> tuple[StoreState, Outcome]:
    """Return the state after one operation, and its outcome.

    Raises:
        InvalidInput: a label is none of the three.
    """
    if isinstance(operation, PutText):
        return _put(state, operation.record)
    if isinstance(operation, SetLabel | AddFeedback):
        return _say_label(state, operation)
    return _delete(state, operation)


def _put(state: StoreState, record: TextRecord) -> tuple[StoreState, Outcome]:
    if state.deleted_at_ms is not None and record.received_at_ms <= state.deleted_at_ms:
        return state, Outcome.DONE
    if record.label is not None and record.labelled_at_ms is None:
        record = replace(record, labelled_at_ms=record.received_at_ms)
    if state.record is None:
        return replace(state, record=record), Outcome.DONE
    if state.record.text_key != record.text_key:
        return state, Outcome.CONFLICT
    received_at_ms = max(state.record.received_at_ms, record.received_at_ms)
    return _changed(state, replace(_relabel(state.record, record), received_at_ms=received_at_ms)), Outcome.DONE


def _say_label(state: StoreState, operation: SetLabel | AddFeedback) -> tuple[StoreState, Outcome]:
    if operation.label not in _SENTIMENT_OF_LABEL:
        raise InvalidInput(f"{operation.label!r} is not a label; use one of {', '.join(_SENTIMENT_OF_LABEL)}.", "label")
    if state.record is None:
        return state, Outcome.NOT_FOUND
    if state.deleted_at_ms is not None and operation.at_ms <= state.deleted_at_ms:
        return state, Outcome.DONE
    if isinstance(operation, SetLabel):
        return _changed(state, _relabel(state.record, _labelled(state.record, operation))), Outcome.DONE
    return _changed(state, _with_feedback(state.record, operation)), Outcome.DONE


def _labelled(record: TextRecord, operation: SetLabel) -> TextRecord:
    return replace(
        record,
        label=operation.label,
        score=None,
        sentiment=_SENTIMENT_OF_LABEL[operation.label],
        probabilities=None,
        truncated=False,
        supported=True,
        model=None,
        model_version=None,
        labelled_at_ms=operation.at_ms,
        labelled_by=CLIENT,
    )


def _with_feedback(record: TextRecord, operation: AddFeedback) -> TextRecord:
    feedback = Feedback(operation.source, operation.label, operation.at_ms)
    words = [word for word in record.feedback if word.source == feedback.source]
    others = [word for word in record.feedback if word.source != feedback.source]
    latest = max([*words, feedback], key=_time_and_label)
    return replace(record, feedback=tuple(sorted([*others, latest], key=_time_and_label)[-MAX_SOURCES:]))


def _time_and_label(word: Feedback) -> tuple[int, str, str]:
    return word.at_ms, word.label, word.source  # one order, whatever came first


def _delete(state: StoreState, operation: DeleteText) -> tuple[StoreState, Outcome]:
    if state.deleted_at_ms is not None and state.deleted_at_ms >= operation.at_ms:
        return state, Outcome.DONE
    if state.record is None:
        return StoreState(None, operation.at_ms), Outcome.NOT_FOUND
    if state.record.received_at_ms > operation.at_ms:
        return StoreState(state.record, operation.at_ms), Outcome.CONFLICT
    return StoreState(None, operation.at_ms), Outcome.DONE


def _changed(state: StoreState, record: TextRecord) -> StoreState:
    return state if record == state.record else replace(state, record=record)


def _relabel(old: TextRecord, new: TextRecord) -> TextRecord:
    if not _supersedes(old, new):
        return old
    return replace(
        old,
        label=new.label,
        score=new.score,
        sentiment=new.sentiment,
        probabilities=new.probabilities,
        truncated=new.truncated,
        language=new.language,
        supported=new.supported,
        model=new.model,
        model_version=new.model_version,
        labelled_at_ms=new.labelled_at_ms,
        labelled_by=new.labelled_by,
    )


def _supersedes(old: TextRecord, new: TextRecord) -> bool:
    if new.label is None or new.labelled_at_ms is None:
        return False
    if old.label is None or old.labelled_at_ms is None:
        return True
    newer_by_ms = new.labelled_at_ms - old.labelled_at_ms
    return newer_by_ms > 0 or (newer_by_ms == 0 and new.labelled_by == CLIENT)
