"""What `data leaks` advises fits how the texts got into both versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentiment.datasets import DatasetStore, DatasetVersion, Example, open_datasets
from sentiment.datasets.leaks.advice import advice
from sentiment.datasets.leaks.search import find_leaks
from sentiment.datasets.split import Split, push_split

BAD = Example("the film was so bad that nobody stayed until the end", "negative")
NEAR = Example("the film was so bad that nobody stayed until the credits", "negative")
GOOD = Example("so good", "positive")
FINE = Example("fine by me", "positive")
OTHER = Example("I would not go again", "negative")


@pytest.fixture
def store(tmp_path: Path) -> DatasetStore:
    return open_datasets(tmp_path)


def push(store: DatasetStore, name: str, *examples: Example) -> DatasetVersion:
    return store.push(name, examples, source=f"{name}.csv")


def advised(store: DatasetStore, train: DatasetVersion, test: DatasetVersion, *, near: bool = True) -> list[str]:
    return advice(train, test, list(find_leaks(store.read(train), store.read(test), near=near)), near=near)


def test_the_training_data_are_pushed_again_without_the_test_s_texts(store: DatasetStore) -> None:
    train, test = push(store, "train", BAD, GOOD, OTHER), push(store, "test", BAD, FINE)
    (line,) = advised(store, train, test)
    assert line.startswith("Push train again with --without test@1 (its source was train.csv).")


def test_near_duplicates_alone_are_not_answered_with_what_does_not_find_them(store: DatasetStore) -> None:
    (line,) = advised(store, push(store, "train", BAD, GOOD), push(store, "test", NEAR, FINE))
    assert line.startswith("--without does not find what is nearly the same (1)")
    assert "--out leaks.csv" in line
    assert "--threshold" in line


def test_both_kinds_get_both_advices(store: DatasetStore) -> None:
    same, near = advised(store, push(store, "train", BAD, GOOD, OTHER), push(store, "test", NEAR, GOOD))
    assert same.startswith("Push train again with --without test@1")
    assert near.startswith("--without does not find")


def test_near_duplicates_that_were_not_looked_for_are_said_to_be_so(store: DatasetStore) -> None:
    lines = advised(store, push(store, "train", BAD, GOOD), push(store, "test", NEAR, GOOD), near=False)
    assert lines[-1] == "Texts that are nearly the same were not looked for: leave out --no-near."


def test_a_version_compared_with_itself_or_with_the_same_rows_is_to_be_split(store: DatasetStore) -> None:
    train, copy = push(store, "train", BAD, GOOD), push(store, "copy", BAD, GOOD)
    (itself,), (same,) = advised(store, train, train), advised(store, train, copy)
    assert itself.startswith("train@1 and train@1 are one version, compared with itself: name other data to test on")
    assert same.startswith("train@1 and copy@1 are two names of the same rows")
    assert "--without" not in itself + same


def test_training_data_that_the_test_holds_as_a_whole_are_left_out_of_the_test(store: DatasetStore) -> None:
    (line,) = advised(store, push(store, "train", BAD, GOOD), push(store, "test", BAD, GOOD, FINE))
    assert "push test again with --without train@1 (its source was test.csv)" in line


def test_a_part_of_a_split_is_made_anew_from_its_source(store: DatasetStore) -> None:
    rows = [Example(f"a film that runs for {number} minutes", GOOD.label) for number in range(30)]
    rows += [Example(f"a dull evening number {number}", BAD.label) for number in range(30)]
    train, _ = push_split(store, "films", rows, Split((0.8, 0.2)), source="films.csv")
    leak = next(store.read(train))
    line = advised(store, train, push(store, "test", leak, FINE, OTHER))[0]
    assert line.startswith(
        "films-train@1 is a part of a split: push its source again, with its --split and with --with"
    )


def test_versions_that_share_nothing_need_no_advice(store: DatasetStore) -> None:
    assert advised(store, push(store, "train", BAD, GOOD), push(store, "test", FINE, OTHER)) == []
