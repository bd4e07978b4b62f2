"""Texts of every script of Unicode get an answer: a probability for each label, that is a number, and they sum to 1."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from pathlib import Path

import pytest

from sentiment.predictor import Predictor
from sentiment.text import CURRENT_NORMALIZER, NORMALIZERS

SHIPPED = Path(__file__).parents[2] / "sentiment" / "shipped" / "sentiment"
LAST = 0x2FFFF


def samples() -> dict[str, str]:
    """Return a text for each first word of the letters' Unicode names: LATIN, CYRILLIC, CJK, THAI, ..."""
    letters: dict[str, list[str]] = defaultdict(list)
    for point in range(0x41, LAST):
        character = chr(point)
        if unicodedata.category(character) in ("Lu", "Ll", "Lo", "So") and (name := unicodedata.name(character, "")):
            found = letters[name.split()[0].split("-")[0]]
            if len(found) < 30:
                found.append(character)
    return {script: " ".join(["".join(found[:10]), "".join(found[10:])]) for script, found in letters.items()}


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.load(SHIPPED, threads=2)


def test_two_hundred_scripts_get_a_right_answer_each(predictor):
    texts = {script: NORMALIZERS[CURRENT_NORMALIZER](text) for script, text in samples().items()}
    assert len(texts) >= 200
    answers = predictor.predict(list(texts.values()))
    assert not answers.errors
    for probabilities in answers.probabilities:
        assert sum(probabilities) == pytest.approx(1.0, abs=1e-4)
        assert all(0 <= value <= 1 for value in probabilities)
