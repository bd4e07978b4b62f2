"""What is said of wrong values: never more than fits into a line, whatever was given."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, HttpUrl, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from sentiment.validation_messages import in_words, shown

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


class Named(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: int = 0


SECRET = "hunter2"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (AwareDatetime, "2026-01-01T12:00:00.000002"),
        (datetime, SECRET),
        (Path, [SECRET]),
        (UUID, SECRET),
        (Annotated[str, Field(pattern="^x$")], SECRET),
        (Annotated[str, Field(min_length=90)], SECRET),
        (Annotated[str, Field(max_length=3)], SECRET),
        (HttpUrl, SECRET),
        (str, [SECRET]),
        (bytes, [SECRET]),
        (int, SECRET),
        (bool, SECRET),
        (Literal["a", "b"], SECRET),
        (dict[str, int], SECRET),
        (Named, {SECRET: SECRET}),
        (Annotated[int, Field(ge=90)], "-0000002"),
        (Decimal, SECRET),
        (frozenset[int], SECRET),
    ],
    ids=str,
)
def test_what_could_be_a_secret_is_not_told_of_any_kind_of_value(kind: Any, value: Any) -> None:
    problem = problem_of(kind, value)
    given = SECRET if SECRET in str(value) else value[-7:]
    said = in_words(problem, tells_given=False)
    assert given not in said
    assert "{" not in said
    assert len(said) > 9


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (Path, 3, "must be a path, not 3"),
        (UUID, "red", "must be of another kind, not 'red'"),
    ],
)
def test_a_kind_of_value_is_named_or_said_to_be_wrong(kind: Any, value: Any, said: str) -> None:
    assert in_words(problem_of(kind, value)) == said


def test_a_pattern_is_said_by_its_rule_and_never_shown() -> None:
    problem = problem_of(Annotated[str, Field(pattern="^x$")], "y")
    assert in_words(problem, rules={"^x$": "must be an x"}) == "must be an x"
    assert in_words(problem) == in_words(problem, rules={"^z$": "must be a z"}) == "has not the form that is wanted"


def test_an_unknown_name_is_answered_with_the_known_ones_where_they_are_told() -> None:
    problem = problem_of(Named, {"nmae": 1})
    assert in_words(problem, permitted="name") == "is not known here; permitted are name"
    assert in_words(problem) == "is not known here"
