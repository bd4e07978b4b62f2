"""A dataset version's manifest that was changed by hand: what is wrong with it, and what it may hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from sentiment.datasets.storage.manifest import DatasetVersion, Shard, decode, encode
from sentiment.errors import DatasetDamaged

Edit = Callable[[dict[str, Any]], Any]

WRITTEN = DatasetVersion(
    name="tweets",
    number=3,
    digest="a" * 64,
    rows=2,
    balance={"positive": 1, "negative": 1},
    labels=("negative", "positive"),
    source="tests",
    parent=None,
    normalizer="1",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    shards=(Shard("b" * 64, 100, 2),),
)


def test_a_manifest_is_read_back_as_it_was_written() -> None:
    assert decode(encode(WRITTEN), "tweets", 3) == WRITTEN


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda m: m.update(digest="zz"), "digest: must be a SHA-256 in 64 digits, 0 to 9 and a to f. "),
        (
            lambda m: m.update(colour=1),
            "colour: is not known here; permitted are format, schema, name, number, ",
        ),
        (lambda m: m["shards"][0].update(colour=1), "shards.0.colour: is not known here. "),
        (lambda m: m.pop("rows"), "rows: is missing. "),
    ],
)
def test_what_is_wrong_with_a_manifest_is_said_in_plain_words(edit: Edit, says: str) -> None:
    content = json.loads(encode(WRITTEN))
    edit(content)
    with pytest.raises(DatasetDamaged) as caught:
        decode(json.dumps(content).encode(), "tweets", 3)
    assert str(caught.value).startswith(f"tweets@3 is damaged: its manifest's {says}")
