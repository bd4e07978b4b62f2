"""An ingest as it is asked for, and the words of its messages."""

from __future__ import annotations

import pytest

from sentiment.ingest.request import with_fields


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("--to '2026' is not after --from '2027'", "to_time '2026' is not after from_time '2027'"),
        ("give another --name, or start with --restart.", "give another name, or start with restart."),
        ("give --time-format to say which", "give time_format to say which"),
        ("--name '--from' cannot name an ingest", "name '--from' cannot name an ingest"),
        ("install it with --user", "install it with --user"),
    ],
)
def test_options_become_fields_unless_a_value_quotes_them(message, expected):
    assert with_fields(message) == expected
