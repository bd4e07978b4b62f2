"""What the page's form asks for, and the API's answers in the form's words."""

from __future__ import annotations

from typing import Any

import pytest

from gradio_ui.tabs.models.rollout_form import FIELDS, FOLDED, STICKY, Typed, in_words
from sentiment.errors import InvalidInput
from serve_app.gateway.http.schemas.rollouts import RolloutIn

EMPTY: dict[str, Any] = {"plan": "", "auto": False, "hold_s": "", "sticky": "none", "in_place": False}


def typed(version: str = "8", **changes: Any) -> Typed:
    return Typed(version, **{**EMPTY, **changes})


@pytest.mark.parametrize("hold_s", ["", "  ", None])
def test_what_is_left_empty_or_folded_is_left_to_the_api(hold_s):
    asked = typed(hold_s=hold_s).request()
    assert asked == {"version": 8, "auto": False, "sticky": "none", "in_place": False}
    assert RolloutIn(**asked) == RolloutIn(version=8)


def test_what_is_filled_in_reaches_the_api():
    asked = typed(" 9 ", plan=" shadow,100 ", auto=True, hold_s=" 2.5", sticky="key", in_place=True).request()
    assert RolloutIn(**asked) == RolloutIn(
        version=9, plan="shadow,100", hold_s=2.5, auto=True, sticky="key", in_place=True
    )


@pytest.mark.parametrize(
    ("written", "hold_s"), [("60", 60.0), ("2.5", 2.5), ("60s", 60.0), (" 5m ", 300.0), ("1.5h", 5400.0)]
)
def test_a_hold_is_a_span_of_time_as_on_the_command_line_and_reaches_the_api_in_seconds(written, hold_s):
    assert typed(hold_s=written).request()["hold_s"] == hold_s


@pytest.mark.parametrize("written", ["1_0", "٨", "soon", "-1", "nan", "1e999", ".", "1 0"])
def test_a_hold_that_is_no_time_is_refused_by_the_name_of_its_field_before_the_api_is_asked(written):
    with pytest.raises(InvalidInput) as refused:
        typed(hold_s=written).request()
    assert str(refused.value) == f"Hold (seconds) {written!r} is not a time: give 60s, 5m or 1h"
    assert refused.value.field == "hold_s"


@pytest.mark.parametrize("version", ["", "eight", "-1", "8.5", "٨", pytest.param("9" * 5000, id="long")])
def test_a_version_that_is_no_number_is_refused_before_the_api_is_asked(version):
    with pytest.raises(InvalidInput, match="version: write the number of a registered version"):
        typed(version).request()


def test_the_form_has_each_field_of_the_api_and_each_way_of_keeping():
    assert set(FIELDS) == set(RolloutIn.model_fields)
    assert set(FOLDED) <= set(FIELDS)
    assert {value for _, value in STICKY} == {"none", "author", "key"}


def test_fields_of_an_error_are_called_what_the_page_calls_them():
    error = InvalidInput("hold_s: must be 0 or more; in_place: must be true or false", "hold_s")
    assert in_words(error) == "Hold (seconds): must be 0 or more; In place: must be true or false"
    assert in_words(InvalidInput("the plan: see above")) == "the plan: see above"
