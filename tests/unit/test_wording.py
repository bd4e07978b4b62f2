"""What is said of wrong values: never more than fits into a line, whatever was given."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import pytest
import yaml
from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from sentiment.wording import in_words, shown

ITSELF: list[Any] = []
ITSELF.append(ITSELF)


def problem_of(kind: Any, value: Any) -> ErrorDetails:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    return caught.value.errors(include_url=False)[0]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("it's", '"it\'s"'),
        (None, "null"),
        ([True, "é", date(2026, 1, 1)], '[true, "é", "2026-01-01"]'),
        ({date(2026, 1, 1): 3}, "{datetime.date(2026, 1, 1): 3}"),
        (ITSELF, "[[...]]"),
        ({date(2026, 1, 1): "n" * 90}, f"{{datetime.date(2026, 1, 1): '{'n' * 35}…"),
        (16**5000, "…"),
    ],
    ids=["text", "none", "list", "date-as-key", "itself", "long", "endless-number"],
)
def test_a_value_is_shown_as_it_is_written_and_cut_where_it_is_long(value: Any, said: str) -> None:
    assert shown(value) == said


@pytest.mark.parametrize("text", ["{2026-01-01: 3}", "&a [*a]", "&a {b: *a}", "0x" + "f" * 5000], ids=lambda t: t[:9])
def test_whatever_yaml_holds_can_be_shown(text: str) -> None:
    assert 0 < len(shown(yaml.safe_load(text))) <= 65


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (int, "70000", "must be 5 or less, not 70000"),
        (int, int("9" * 4200), f"must be 5 or less, not {'9' * 64}…"),
        (float, "9" * 4200, f"must be 5 or less, not {'9' * 64}…"),
        (int, 16**5000, "must be 5 or less, not …"),
    ],
    ids=["short", "number", "text", "endless"],
)
def test_a_number_out_of_bounds_is_cut_like_all_else(kind: Any, value: Any, said: str) -> None:
    assert in_words(problem_of(Annotated[kind, Field(le=5)], value)) == said
