"""Spans of time, as the command line and the page read them."""

from __future__ import annotations

import pytest

from sentiment.durations import no_time, seconds_of, span_s
from sentiment.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60", 60),
        ("2.5", 2.5),
        (".5", 0.5),
        ("5.", 5),
        ("0", 0),
        ("60s", 60),
        ("5m", 300),
        ("1.5h", 5400),
        ("30d", 30 * 86_400),
        ("4w", 28 * 86_400),
        ("999999999w", 999_999_999 * 604_800),
    ],
)
def test_a_span_is_a_number_and_a_unit_or_a_number_of_seconds(text: str, seconds: float) -> None:
    assert span_s(text) == seconds
    assert seconds_of(text, "--hold", "hold") == seconds


@pytest.mark.parametrize(
    "text",
    ["", " ", "s", ".s", "soon", "-5s", "1_0s", "1e3", "nan", "5 m", "5M", "5ms", "1h30m", "٨", "6\n", "1" * 10],
)
def test_what_is_no_span_is_refused_by_the_name_of_its_field_with_what_it_may_be(text: str) -> None:
    assert span_s(text) is None
    with pytest.raises(InvalidInput) as refused:
        seconds_of(text, "--hold", "hold")
    assert str(refused.value) == f"--hold {text!r} is not a time: give 60s, 5m or 1h"
    assert refused.value.field == "hold"


def test_a_field_that_may_be_more_than_a_span_says_so_in_the_same_words() -> None:
    error = no_time("soon", "--expires", "expires", "30d or a day to come")
    assert str(error) == "--expires 'soon' is not a time: give 30d or a day to come"
