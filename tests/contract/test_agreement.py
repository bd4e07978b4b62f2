"""Random operations: every store must answer as the one in memory does."""

from __future__ import annotations

import uuid
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentiment.records import AddFeedback, DeleteText, Operation, Outcome, PutText, SetLabel, TextQuery
from sentiment.store.base import TextStore
from sentiment.store.memory import MemoryStore
from tests.contract.stores import NOW_MS, labelled, text
from tests.hypothesis_profile import examples

IDS = st.sampled_from(["a", "b", "c"])
TIMES = st.integers(NOW_MS, NOW_MS + 4)
WORDS = st.sampled_from(["tea good", "tea bad", "ça va 😀", "茶 is tea"])
LABELS = st.sampled_from(["negative", "neutral", "positive"])
TOPICS = st.lists(st.sampled_from(["tea", "x"]), max_size=3).map(tuple)
UNLABELLED = st.builds(text, IDS, WORDS, created_at_ms=TIMES, received_at_ms=TIMES, topics=TOPICS)
LABELLED = st.builds(
    labelled, IDS, WORDS, received_at_ms=TIMES, label=LABELS, labelled_at_ms=TIMES, model_version=st.integers(1, 3)
)
OPERATIONS = st.one_of(
    st.builds(PutText, UNLABELLED | LABELLED),
    st.builds(SetLabel, IDS, LABELS, TIMES),
    st.builds(AddFeedback, IDS, LABELS, st.sampled_from(["x", "y"]), TIMES),
    st.builds(DeleteText, IDS, TIMES),
)
QUERIES = st.builds(
    TextQuery,
    label=st.none() | LABELS,
    topic=st.none() | st.just("tea"),
    created_from_ms=st.none() | TIMES,
    model_version=st.none() | st.integers(1, 3),
    search=st.none() | st.sampled_from(["tea", "茶", "good tea", "😀"]),
)


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(OPERATIONS, max_size=8), min_size=1, max_size=5), query=QUERIES)
def test_random_operations_end_as_in_memory(store: TextStore, batches: list[list[Operation]], query: TextQuery) -> None:
    model = MemoryStore()
    source = uuid.uuid4().hex  # examples share one store: each has ids of its own and asks for its own source
    for batch in ([_within(source, operation) for operation in batch] for batch in batches):
        assert store.apply(batch) == model.apply(batch)
    ids = [f"{source}-{name}" for name in "abc"]
    assert store.get_many(ids) == model.get_many(ids)
    for asked in (TextQuery(source=source), replace(query, source=source)):
        assert store.count(asked) == model.count(asked)
        page = store.page(asked, 1)
        assert page == model.page(asked, 1)
        assert page.next_cursor is None or store.page(asked, 2, page.next_cursor) == model.page(
            asked, 2, page.next_cursor
        )


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=st.lists(OPERATIONS, max_size=10), replayed_from=st.integers(0, 9))
def test_what_was_done_and_is_done_again_changes_nothing(
    store: TextStore, operations: list[Operation], replayed_from: int
) -> None:
    source = uuid.uuid4().hex
    batch = sorted((_within(source, operation) for operation in operations), key=_time_of)
    outcomes = store.apply(batch)
    done = [operation for operation, outcome in zip(batch, outcomes, strict=True) if outcome is Outcome.DONE]
    before = store.page(TextQuery(source=source), 10).records
    for replayed in (done, done[replayed_from:], done):
        store.apply(replayed)
        assert store.page(TextQuery(source=source), 10).records == before


def _within(source: str, operation: Operation) -> Operation:
    if isinstance(operation, PutText):
        record = replace(operation.record, id=f"{source}-{operation.record.id}", source=source)
        return PutText(record, operation.claimed)
    return replace(operation, id=f"{source}-{operation.id}")


def _time_of(operation: Operation) -> int:
    return operation.record.received_at_ms if isinstance(operation, PutText) else operation.at_ms
