"""What to train, choose and test on: three dataset versions, made from one where they were not pushed as three."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sentiment.datasets import DatasetStore, DatasetVersion
from sentiment.datasets.split import Split, push_split
from sentiment.errors import InvalidInput

_WITH_TEST: Final = Split((0.8, 0.1, 0.1))
_TEST_GIVEN: Final = Split((0.9, 0.1))


@dataclass(frozen=True)
class Splits:
    """Three dataset versions; those made from one share no text."""

    train: DatasetVersion
    validation: DatasetVersion
    test: DatasetVersion


def make_splits(store: DatasetStore, data: str, validation: str | None = None, test: str | None = None) -> Splits:
    """Return what to train, choose and test on; what is not given is a tenth of `data`, kept as a version of its own.

    The same data are always split the same way, near duplicates stay in one part, rows without a label are left out.

    Raises:
        NotFound: there is no such version.
        InvalidInput: the versions have other labels, a part has too few rows, or there is validation but no test.
    """
    whole = store.find(data)
    given = [store.find(ref) for ref in (validation, test) if ref]
    for part in given:
        _require_labels(part, whole)
    if validation and not test:
        raise InvalidInput("Validation data without test data: name these too with --test, or leave both out.", "test")
    if len(given) == 2:
        return Splits(whole, *given)
    labelled = (row for row in store.read(whole) if row.label is not None)
    split = _TEST_GIVEN if given else _WITH_TEST
    name = f"{whole.name}.{whole.number}"
    made = push_split(store, name, labelled, split, source=whole.ref, parent=whole.ref, labels=whole.labels)
    return Splits(*made, *given)


def _require_labels(part: DatasetVersion, whole: DatasetVersion) -> None:
    if part.labels != whole.labels:
        ours, theirs = (", ".join(each.labels) or "no labels" for each in (part, whole))
        raise InvalidInput(f"{part.ref} has {ours}, {whole.ref} has {theirs}: compare on one label set.", "data")
