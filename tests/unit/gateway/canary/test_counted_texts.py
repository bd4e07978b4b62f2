from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sentiment.store import TextStore
from sentiment.store.memory import MemoryStore
from sentiment.store.sqlite import SqliteStore
from serve_app.gateway.canary.counted_texts import KIND, CountedTexts

IDS = [f"text-{number}" for number in range(100)]


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path):
    store: TextStore = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "texts.db")
    yield store
    store.close()


def test_a_text_is_taken_once_in_a_rollout_and_anew_in_the_next(store):
    counted = CountedTexts(store, "sentiment")
    assert counted.take("r-1", ["a", "b"]) == {"a", "b"}
    assert counted.take("r-1", ["b", "c"]) == {"c"}
    assert counted.take("r-2", ["a", "b"]) == {"a", "b"}
    assert counted.take("r-2", []) == set()


def test_a_gateway_that_still_counts_for_a_rollout_that_has_ended_takes_nothing(store):
    counted = CountedTexts(store, "sentiment")
    counted.take("r-2", IDS)
    assert counted.take("r-1", IDS) == set()
    assert counted.take("r-2", IDS) == set()


def test_models_do_not_share_what_they_counted(store):
    assert CountedTexts(store, "sentiment").take("r-1", ["a"]) == {"a"}
    assert CountedTexts(store, "sentiment-reviews").take("r-1", ["a"]) == {"a"}


def test_gateways_that_take_at_the_same_time_share_the_texts_out(store):
    def take(_: int) -> list[str]:
        counted = CountedTexts(store, "sentiment")
        return [id_ for start in range(0, len(IDS), 10) for id_ in counted.take("r-1", IDS[start : start + 10])]

    with ThreadPoolExecutor(4) as gateways:
        taken = [id_ for some in gateways.map(take, range(4)) for id_ in some]
    assert sorted(taken) == sorted(IDS)


def test_the_store_keeps_a_fixed_number_of_documents_however_many_texts_and_rollouts_there_are():
    store = MemoryStore()
    for rollout in range(3):
        CountedTexts(store, "sentiment").take(f"r-{rollout}", [f"{rollout}-{n}" for n in range(2000)])
    assert len(store.list_documents(KIND)) == 64
