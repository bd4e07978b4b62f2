"""The store on a folder: what only a disk can do wrong, and how little memory it takes."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sentiment.datasets import DatasetStore, Example, open_datasets
from sentiment.datasets.storage import draft
from sentiment.errors import DatasetsUnavailable, InvalidInput
from sentiment.settings import load_settings
from sentiment.text import CURRENT_NORMALIZER

EXAMPLES = [Example("so good", "positive"), Example("so bad", "negative")]


@pytest.fixture
def store(tmp_path: Path) -> DatasetStore:
    return open_datasets(tmp_path / "datasets")


def failing(number: int) -> Any:
    def fail(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_no_source_is_stored_unmasked_and_no_language_that_is_no_code(store: DatasetStore) -> None:
    store.push("tweets", [Example("so good", None, "bob@example.org", "en")], source="tests")
    assert [example.source for example in store.read("tweets@1")] == ["[email]"]
    with pytest.raises(InvalidInput, match="Example 1 has the language '@bob', which is not a code"):
        store.push("others", [Example("so good", None, "mail", "@bob")], source="tests")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named_with_the_remedy_and_leaves_nothing(
    store: DatasetStore, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(os, "fsync", failing(number))
    with pytest.raises(DatasetsUnavailable, match=r"disk of the dataset store /.*/datasets is full: free some space"):
        store.push("tweets", EXAMPLES, source="tests")
    monkeypatch.undo()
    assert (store.names(), [path for path in Path(store.place).rglob("*") if path.is_file()]) == ([], [])


def test_a_disk_that_is_full_only_at_the_manifest_lists_nothing(
    store: DatasetStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", failing(errno.ENOSPC))
    with pytest.raises(DatasetsUnavailable, match="is full"):
        store.push("tweets", EXAMPLES, source="tests")
    assert (store.names(), store.damaged()) == ([], [])


def test_rows_that_an_older_normaliser_left_the_same_become_a_version_of_the_present_one(
    store: DatasetStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(draft, "CURRENT_NORMALIZER", "1")
        old = store.push("tweets", EXAMPLES, source="tests")
    new = store.push("tweets", EXAMPLES, source="tests")
    assert (old.normalizer, new.normalizer) == ("1", CURRENT_NORMALIZER)
    assert (new.ref, new.digest) == ("tweets@2", old.digest)
    assert store.push("tweets", EXAMPLES, source="tests") == new


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = open_datasets(tmp_path / "file" / "datasets")
    with pytest.raises(DatasetsUnavailable, match=r"file/datasets cannot be written to .*UNDERTONE_DATASETS"):
        store.push("tweets", EXAMPLES, source="tests")


def test_a_disk_without_hard_links_still_never_overwrites(store: DatasetStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", failing(errno.EPERM))
    objects = store._objects
    assert (objects.create("a/versions/1", b"first"), objects.create("a/versions/1", b"second")) == (True, False)
    assert objects.read("a/versions/1") == b"first"


def test_files_of_a_version_are_read_only(store: DatasetStore) -> None:
    store.push("tweets", EXAMPLES, source="tests")
    files = [path for path in Path(store.place).rglob("*") if path.is_file()]
    assert len(files) == 2
    assert all(path.stat().st_mode & 0o222 == 0 for path in files)


def test_opening_a_store_touches_nothing(tmp_path: Path) -> None:
    store = open_datasets(load_settings(home=tmp_path / "home"))
    assert store.place == str(tmp_path / "home" / "datasets")
    assert store.names() == []
    assert not (tmp_path / "home").exists()


def test_a_place_that_is_neither_folder_nor_s3_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"gs://bucket cannot hold datasets"):
        open_datasets("gs://bucket")
    with pytest.raises(InvalidInput, match="has no bucket"):
        open_datasets("s3:///prefix")


def test_pushing_and_reading_hold_one_shard_at_a_time(store: DatasetStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draft, "MOST_ROWS", 10)
    seen: list[int] = []

    def many() -> Iterator[Example]:
        for number in range(45):
            seen.append(len(list(Path(store.place).glob("many/shards/*.parquet"))))
            yield Example(f"text {number}", ("negative", "positive")[number % 2])

    version = store.push("many", many(), source="tests")
    assert seen == [number // 10 for number in range(45)]
    assert [shard.rows for shard in version.shards] == [10, 10, 10, 10, 5]
    drawn: list[str] = []
    read = store._objects.read
    monkeypatch.setattr(store._objects, "read", lambda key: drawn.append(key) or read(key))
    rows = store.read(version)
    assert [next(rows).text for _ in range(11)][-1] == "text 10"
    assert len(drawn) == 2


def test_long_texts_make_a_shard_early(store: DatasetStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draft, "MOST_TEXT_CHARACTERS", 10)
    assert [shard.rows for shard in store.push("tweets", EXAMPLES * 2, source="tests").shards] == [2, 2]


@pytest.mark.parametrize(
    ("examples", "problem"),
    [
        ([], "There are no examples"),
        ([Example("so good", "positive")] * 2, "one class only"),
        ([Example(" ", "positive")], "Example 1 has no text"),
        ([*EXAMPLES, Example("so so", "meh")], "Example 3 has the label 'meh'"),
    ],
)
def test_what_no_model_could_learn_from_is_refused(store: DatasetStore, examples: list[Example], problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        store.push("tweets", examples, source="tests")
    assert store.names() == []


def test_texts_without_labels_make_a_version(store: DatasetStore) -> None:
    version = store.push("texts", [Example("so good", None)], source="tests")
    assert (version.labels, version.balance) == ((), {"": 1})


@pytest.mark.parametrize("ref", ["Tweets", "../etc", "tweets@0", "tweets@new", "tweets@-1", "", "a" * 65])
def test_what_names_no_version_is_refused(store: DatasetStore, ref: str) -> None:
    with pytest.raises(InvalidInput):
        store.find(ref)


def test_a_difference_tells_what_came_went_and_changed_its_label(store: DatasetStore) -> None:
    store.push("tweets", [*EXAMPLES, Example("so so", "negative"), Example("so good", "positive")], source="tests")
    store.push("tweets", [*EXAMPLES, Example("so so", "positive"), Example("new", "negative")], source="tests")
    found = store.diff("tweets@1", "tweets@2")
    assert (found.kept, dict(found.added), dict(found.removed)) == (2, {"negative": 1}, {"positive": 1})
    assert dict(found.relabelled) == {("negative", "positive"): 1}
    assert (found.added_texts, found.removed_texts, found.relabelled_texts) == (["new"], ["so good"], ["so so"])


def test_a_version_is_pulled_as_a_table(store: DatasetStore, tmp_path: Path) -> None:
    store.push("tweets", EXAMPLES, source="tests")
    out = store.pull("tweets", tmp_path / "tweets.csv")
    assert out.read_text() == "text,label,source,language\nso good,positive,,\nso bad,negative,,\n"
