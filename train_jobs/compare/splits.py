"""The dataset versions of a comparison: training, validation and test, split from one version where needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sentiment.datasets import DatasetStore, DatasetVersion
from sentiment.datasets.split import Split, push_split
from sentiment.errors import InvalidInput

_WITH_TEST: Final = Split((0.8, 0.1, 0.1))
_TEST_GIVEN: Final = Split((0.9, 0.1))


@dataclass(frozen=True)
class SplitVersions:
    """Three dataset versions; those split from one version share no text."""

    train: DatasetVersion
    validation: DatasetVersion
    test: DatasetVersion


def make_splits(
    store: DatasetStore, data: str, validation: str | None = None, test: str | None = None
) -> SplitVersions:
    """Return the versions to train, validate and test on; each one not given is a tenth of `data`, pushed as a version.

    The same data are always split in the same way. Near duplicates stay together; rows without a label are left out.

    Raises:
        NotFound: there is no such version.
        InvalidInput: the versions differ in their labels, a part has too few rows, or `validation` is given without
            `test`.
    """
    whole = store.find(data)
    named = [store.find(ref) for ref in (validation, test) if ref]
    for part in named:
        _require_labels(part, whole)
    if validation and not test:
        raise InvalidInput("--validation is given without --test: name both, or neither.", "test")
    if len(named) == 2:
        return SplitVersions(whole, *named)
    labelled = (row for row in store.read(whole) if row.label is not None)
    split = _TEST_GIVEN if named else _WITH_TEST
    name = f"{whole.name}.{whole.number}"
    pushed = push_split(store, name, labelled, split, source=whole.ref, parent=whole.ref, labels=whole.labels)
    return SplitVersions(*pushed, *named)


def _require_labels(part: DatasetVersion, whole: DatasetVersion) -> None:
    if part.labels != whole.labels:
        ours, theirs = (", ".join(each.labels) or "no labels" for each in (part, whole))
        raise InvalidInput(
            f"{part.ref} has the labels {ours}; {whole.ref} has {theirs}: name versions of one label set.", "data"
        )
