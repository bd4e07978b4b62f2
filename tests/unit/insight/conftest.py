"""A gateway with four texts about a flood and tea, and its insight index."""

from __future__ import annotations

import pytest

from sentiment.text import keyed_digest
from tests.unit.gateway.fake_parts import SECRET, FakeParts, client_of
from tests.unit.insight.local_index import LocalIndex
from tests.unit.insight.sample_texts import DAY_MS, FIRST_MS, NOW_MS, said


@pytest.fixture
def parts() -> FakeParts:
    parts = FakeParts()
    parts.store.apply(
        [
            said("a", "the flood is awful", -0.8, FIRST_MS + 1000, topics=("climate",)),
            said("b", "a flood of love", 0.9, FIRST_MS + DAY_MS + 1000, author_key=keyed_digest(SECRET, "ann")),
            said("c", "tea, nothing else", 0.1, FIRST_MS + 2 * DAY_MS + 1000),
            said("d", "the flood again", -0.6, FIRST_MS + 4 * DAY_MS + 1000, topics=("climate",), model_version=4),
        ]
    )
    return parts


@pytest.fixture
def index(parts: FakeParts) -> LocalIndex:
    return LocalIndex(parts.store, lambda: NOW_MS)


@pytest.fixture
async def client(parts: FakeParts, index: LocalIndex):
    async with client_of(parts, index=index) as client:
        yield client
