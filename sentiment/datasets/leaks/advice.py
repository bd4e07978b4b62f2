"""What to do about texts that stand in two dataset versions; it depends on how they got there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sentiment.datasets.leaks.search import Leak, LeakKind
from sentiment.datasets.storage.manifest import DatasetVersion


def advice(train: DatasetVersion, test: DatasetVersion, leaks: Sequence[Leak], *, near: bool) -> list[str]:
    """Return what to do about the `leaks` of `test` in `train`, a sentence each; nothing where there are none.

    `near` tells whether near duplicates were looked for.
    """
    if not leaks:
        return []
    if train.digest == test.digest:
        return [_same_rows(train, test)]
    same = [leak for leak in leaks if leak.kind is not LeakKind.NEAR]
    return [*_on_same_words(train, test, same), *_on_near(train, test, len(leaks) - len(same), near=near)]


def _same_rows(train: DatasetVersion, test: DatasetVersion) -> str:
    what = "one version, compared with itself" if train.ref == test.ref else "two names of the same rows"
    return (
        f"{train.ref} and {test.ref} are {what}: name other data to test on, or push it anew in parts that share no "
        f"text, with --split 0.8,0.1,0.1 ({_source(train)})."
    )


def _on_same_words(train: DatasetVersion, test: DatasetVersion, same: Sequence[Leak]) -> Iterator[str]:
    if not same:
        return
    if len({leak.first_row for leak in same}) == train.rows:
        yield (
            f"All rows of {train.ref} stand in {test.ref}, so that nothing would be left to train on without them. "
            f"Leave them out of the test instead: push {test.name} again with --without {train.ref} ({_source(test)})."
        )
    elif _is_split(train):
        yield (
            f"{train.ref} is a part of a split: push its source again, with its --split and with --without {test.ref} "
            f"({_source(train)}). That leaves out the same texts and the same words."
        )
    else:
        yield (
            f"Push {train.name} again with --without {test.ref} ({_source(train)}). That leaves out the same texts and "
            "the same words."
        )


def _on_near(train: DatasetVersion, test: DatasetVersion, count: int, *, near: bool) -> Iterator[str]:
    if not near:
        yield "Texts that are nearly the same were not looked for: leave out --no-near."
    elif count:
        yield (
            f"--without does not find what is nearly the same ({count:,}). Look at all pairs with --out leaks.csv. "
            "Where they differ in what matters, a higher --threshold passes them over; else take their rows out of the "
            f"source of {train.name} or of {test.name}, and push that again."
        )


def _is_split(version: DatasetVersion) -> bool:
    return "; split " in version.source


def _source(version: DatasetVersion) -> str:
    return f"its source was {version.source}"
