"""The leak check on real corpora, where their owners counted the leaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from sentiment.datasets import Example
from sentiment.datasets.leaks.search import LeakKind, find_leaks
from train_jobs.shipped_model import readers as data

CORPORA = Path(__file__).parents[3] / "shared" / "data"

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not CORPORA.is_dir(), reason=f"{CORPORA} is missing: the corpora are not part of the project"),
]


def examples_of(rows: Iterable[data.LabelledText]) -> list[Example]:
    return [Example(row.text, str(row.label)) for row in rows]


def test_the_123_reviews_that_stand_in_both_halves_of_imdb_are_found() -> None:
    train, test = (examples_of(data.read_imdb(CORPORA, half)) for half in ("train", "test"))
    found = list(find_leaks(train, test, near=False))
    assert len({leak.text for leak in found}) == 123
    assert all(leak.label == leak.first_label for leak in found)


@pytest.fixture(scope="module")
def semeval() -> list[Example]:
    return examples_of(data.read_semeval(CORPORA))


def test_the_tweets_of_tweeteval_validation_are_found_in_semeval_2017(semeval: list[Example]) -> None:
    validation = examples_of(data.read_tweeteval(CORPORA, "val"))
    kinds = Counter(leak.kind for leak in find_leaks(semeval, validation))
    assert kinds.total() >= 1995  # as counted by normalised text; near duplicates are the rest of the 2,000
    assert kinds[LeakKind.EXACT] + kinds[LeakKind.SAME_WORDS] > 1980


def test_no_tweet_of_tweeteval_test_is_in_semeval_2017(semeval: list[Example]) -> None:
    test = examples_of(data.read_tweeteval(CORPORA, "test"))
    assert list(find_leaks(semeval, test, near=False)) == []
