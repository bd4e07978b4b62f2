"""Versions of two normalisers side by side: what is forgotten of a deleted text, and how data of another are read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sentiment.datasets import Example
from sentiment.datasets.leaks.search import LeakKind, find_leaks, unique
from sentiment.datasets.split import Split
from sentiment.records import RawText
from serve_app.routing.traffic_table import TrafficTable
from tests.unit.gateway.fake_parts import ROUTE, TRIAL, FakeParts, backend_of
from train_jobs.evaluate import _reading_by


@pytest.mark.parametrize(("normalizers", "left"), [(("2", "2"), 1), (("1", "2"), 0), (("2", "1"), 0)])
async def test_all_answers_go_with_a_deleted_text_that_a_version_reads_otherwise_than_it_is_kept(
    normalizers: tuple[str, str], left: int
) -> None:
    routes = tuple(replace(route, normalizer=name) for route, name in zip((ROUTE, TRIAL), normalizers, strict=True))
    backend = backend_of(FakeParts(), table=TrafficTable(1, routes))
    answers = [await backend.predict(RawText(text)) for text in ("I love it, 01.23.45.67.89", "I hate it")]
    await backend.delete(answers[0].id)
    assert len(backend.fake.cache._answers) == left


def test_a_version_reads_data_of_another_normaliser_as_its_own_leaves_them() -> None:
    read: list[str] = []

    def classify(texts: list[str]) -> np.ndarray:
        read.extend(texts)
        return np.full((len(texts), 3), 1 / 3)

    for version in ("1", "2"):
        _reading_by(version, classify)(["n\u200bot good, 01.23.45.67.89"])
    assert read == ["n ot good, 01.23.45.67.89", "not good, [phone]"]


HINDI = "यह किताब कल आई", "यह किताबे काल आई"


def test_two_sentences_in_hindi_that_differ_in_vowel_signs_are_no_leak() -> None:
    first, second = ([Example(text, "neutral")] for text in HINDI)
    assert list(find_leaks(first, second, near=False)) == []
    assert [leak.kind for leak in find_leaks(first, first, near=False)] == [LeakKind.EXACT]


def test_unique_keeps_what_differs_in_emoji_and_a_split_keeps_it_together() -> None:
    texts = ["so good 😀", "so good 😡", "So good! 😀", "so good", "so good :("]
    kept = [example.text for example in unique(Example(text, "positive") for text in texts)]
    assert kept == ["so good 😀", "so good 😡", "so good", "so good :("]
    assert len({Split().part_of(text) for text in kept}) == 1


def test_the_same_words_are_a_leak_whatever_the_emoji() -> None:
    leaks = list(find_leaks([Example("so good 😀", "positive")], [Example("so good 😡", "negative")], near=False))
    assert [leak.kind for leak in leaks] == [LeakKind.SAME_WORDS]
