"""The promise of the README: names, links, mail addresses and phone numbers are masked before anything is stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentiment.text import CURRENT_NORMALIZER, NORMALIZERS
from tests.behaviour.masking import MASKS, measure, rows, table

_NORMALIZE = NORMALIZERS[CURRENT_NORMALIZER]
_RESULTS = Path(__file__).parents[2] / "docs" / "results.md"
_LEAST_RECALL, _LEAST_PRECISION = 0.93, 0.97


def test_the_list_holds_enough_of_both_kinds() -> None:
    kinds = [row.kind for row in rows()]
    assert len(kinds) >= 300
    assert kinds.count("none") >= 100
    assert all(kinds.count(kind) >= 15 for kind in MASKS)


@pytest.mark.parametrize("kind", MASKS)
def test_what_names_a_person_is_masked(kind: str) -> None:
    assert measure(_NORMALIZE, [row for row in rows() if row.kind == kind]).recall >= _LEAST_RECALL


def test_little_else_is_masked() -> None:
    assert measure(_NORMALIZE, rows()).precision >= _LEAST_PRECISION


@pytest.mark.parametrize("text", [row.text for row in rows()])
def test_a_masked_text_is_masked_once_and_for_all(text: str) -> None:
    once = _NORMALIZE(text)
    assert _NORMALIZE(once) == once


def test_the_figures_in_the_docs_are_those_of_the_list() -> None:
    documented = _RESULTS.read_text(encoding="utf-8").splitlines()
    assert [line for line in table() if line not in documented] == []
