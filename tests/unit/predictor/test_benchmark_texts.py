"""The benchmarks' texts are what they say: all different, with a median of 28 word pieces."""

from __future__ import annotations

import statistics
from pathlib import Path

from sentiment.predictor.tokenisation import load_tokenisation
from sentiment.version import read_version
from tests.benchmarks.texts import unique_texts
from tests.tiny_model import build_tiny_version


def test_texts_are_unique_repeatable_and_of_a_median_of_28_word_pieces(tmp_path: Path) -> None:
    version = read_version(build_tiny_version(tmp_path / "version"))
    texts = unique_texts(2000, 3, version.file("tokenizer.json"))
    pieces = load_tokenisation(version).split(texts)
    lengths = [len(windows.windows[0]) for windows in pieces]
    assert len(set(texts)) == 2000
    assert statistics.median(lengths) in (27, 28, 29)
    assert texts == unique_texts(2000, 3, version.file("tokenizer.json"))
    assert set(texts).isdisjoint(unique_texts(2000, 4, version.file("tokenizer.json")))
