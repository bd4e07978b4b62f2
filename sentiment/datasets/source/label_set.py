"""Which of the platform's label sets the labels of a dataset belong to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sentiment.errors import InvalidInput
from sentiment.labels import THREE_CLASSES, TWO_CLASSES

_SETS: Final = (TWO_CLASSES, THREE_CLASSES)


def label_set_of(labels_: Iterable[str], expected: tuple[str, ...] | None = None) -> tuple[str, ...]:
    """Return the label set of the labels found: `expected`, or the smallest that has all of them; empty without labels.

    Raises:
        InvalidInput: a label is in no set or not in `expected`, or there is one class only.
    """
    labels = set(labels_)
    if not labels:
        return ()
    if len(labels) == 1:
        raise InvalidInput(
            f"All examples are {labels.pop()}: nothing can be learned or measured on one class only. "
            "Add examples of the others, or push the texts without a label column.",
            "label",
        )
    fitting = [candidate for candidate in ((expected,) if expected else _SETS) if labels <= set(candidate)]
    if not fitting:
        sets = " or ".join(", ".join(each) for each in ((expected,) if expected else _SETS))
        raise InvalidInput(f"The labels {', '.join(sorted(labels))} do not belong to one label set ({sets}).", "label")
    return fitting[0]


def smallest_set(labels: Iterable[str]) -> tuple[str, ...] | None:
    """Return the smallest label set that has all of `labels`, which are known ones; None if there are none."""
    distinct = set(labels)
    return next(candidate for candidate in _SETS if distinct <= set(candidate)) if distinct else None


def check_label(label: str | None, row: int) -> None:
    """Raise InvalidInput unless `label` is one that the platform knows, or None."""
    if label is not None and label not in THREE_CLASSES:
        raise InvalidInput(
            f"Example {row} has the label {label!r}; it must be one of {', '.join(THREE_CLASSES)}, or left out.",
            "label",
        )
