from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sentiment.journal import Journal, open_free
from sentiment.store.memory import MemoryStore
from sentiment.writes import WriteBehind


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return open_free(tmp_path)


@pytest.fixture
def sink(journal: Journal, store: MemoryStore) -> Iterator[WriteBehind]:
    """A write-behind that drains only when a test calls `tick`."""
    with closing(WriteBehind(journal, store, jitter=lambda: 1.0)) as opened:
        yield opened
