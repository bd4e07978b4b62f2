from __future__ import annotations

import pytest

from sentiment.store.words import words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("Tea, tea & TEA!", ["tea"]),
        ("Cafe\u0301 café", ["café"]),
        ("STRASSE straße", ["strasse"]),
        ("ﬁne ①", ["fine", "1"]),
        ("snake_case a-b", ["snake", "case", "a", "b"]),
        ("說中文x", ["說", "中", "文", "x"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("so 😀😀👍", ["so", "😀", "👍"]),
        ("مرحبا بك", ["مرحبا", "بك"]),
        ('"a" OR b* -c', ["a", "or", "b", "c"]),
    ],
)
def test_words_are_found_in_any_script(text: str, words: list[str]) -> None:
    assert words_of(text) == words
