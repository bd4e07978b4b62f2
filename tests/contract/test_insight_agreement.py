"""Random texts, changes and searches: the index on disk must answer as the one in memory does."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentiment.insight.embedded.index import TantivyIndex
from sentiment.insight.index import InsightIndex
from sentiment.insight.memory import MemoryIndex
from sentiment.insight.query.conditions import AllOf, AnyOf, Condition, Everything, FieldIs, Near, Not, Phrase, Tone
from sentiment.insight.values import Deletion, FacetName, IndexedText, Query, Span, Timeline, TimeRange
from tests.contract.insight_texts import NOW_MS, indexed, quick_folder, search, walk
from tests.hypothesis_profile import examples

DAY_MS = 86_400_000
WORDS = st.sampled_from(["a", "b", "c", "茶", "😀"])
TIMES = st.integers(NOW_MS - 3, NOW_MS + 3) | st.integers(NOW_MS - 400 * DAY_MS, NOW_MS + 400 * DAY_MS)
FEELINGS = st.sampled_from([-1.0, -0.25, 0.0, 0.1, 1.0]) | st.floats(-1, 1)
TEXTS = st.builds(
    IndexedText,
    id=st.sampled_from([f"t{n}" for n in range(12)]),
    revision=st.integers(0, 4),
    words=st.lists(WORDS, max_size=7).map(tuple),
    created_at_ms=TIMES,
    topics=st.lists(st.sampled_from(["tea", "x y", "c++"]), max_size=2, unique=True).map(tuple),
    language=st.none() | st.sampled_from(["en", "de"]),
    label=st.none() | st.sampled_from(["negative", "neutral", "positive"]),
    author_key=st.none() | st.sampled_from(["ann", "bob"]),
    sentiment=st.none() | FEELINGS,
    model_version=st.none() | st.integers(1, 3),
)
DELETIONS = st.builds(Deletion, st.sampled_from([f"t{n}" for n in range(12)]), st.integers(0, 4))

PHRASES = st.lists(WORDS, min_size=1, max_size=3).map(lambda words: Phrase(tuple(words)))
OPERANDS = st.lists(PHRASES, min_size=1, max_size=2).map(tuple)
FIELDS = [("label", "positive"), ("label", "unlabelled"), ("lang", "de"), ("author", "ann"), ("version", "2")]
FIELDS += [("topic", "tea"), ("topic", "x y"), ("topic", "c++"), ("lang", "xx")]
TERMS = st.one_of(
    PHRASES,
    st.builds(Near, st.integers(1, 4), OPERANDS, OPERANDS),
    st.sampled_from([FieldIs(*field) for field in FIELDS]),
    st.builds(Tone, st.sampled_from(["<", "<=", ">", ">="]), FEELINGS),
    st.just(Everything()),
)
CONDITIONS = st.recursive(
    TERMS,
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: AllOf(tuple(parts))),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: AnyOf(tuple(parts))),
    ),
    max_leaves=5,
)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia"])


@st.composite
def spans(draw: st.DrawFn) -> Span:
    bucket, days = draw(st.sampled_from([("hour", 30), ("day", 900), ("week", 900), ("month", 900), (None, 900)]))
    begin = NOW_MS - draw(st.integers(0, days // 2 * DAY_MS))
    return Span(begin, begin + draw(st.integers(1, days * DAY_MS)), bucket, draw(ZONES))


@pytest.fixture(scope="module")
def embedded() -> Iterator[TantivyIndex]:
    with quick_folder() as folder:
        opened = TantivyIndex(Path(folder) / "insight")
        yield opened
        opened.close()


def assert_same_timeline(one: Timeline, other: Timeline) -> None:
    """Compare all that is counted exactly, and means within 1e-9."""
    assert _counts(one) == _counts(other)
    assert _means(one) == pytest.approx(_means(other), abs=1e-9)


def _counts(line: Timeline) -> list[object]:
    points = [(point.from_ms, point.to_ms, point.count, point.partial, dict(point.labels)) for point in line.points]
    versions = [{version: mean.count for version, mean in point.versions.items()} for point in line.points]
    return [line.total, line.bucket, line.tz, points, versions]


def _means(line: Timeline) -> list[float]:
    values = [line.sentiment, line.low, line.high]
    for point in line.points:
        values += [point.sentiment, point.low, point.high]
        values += [mean.sentiment for _, mean in sorted(point.versions.items())]
    return [7.0 if value is None else value for value in values]


@settings(max_examples=examples(25), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    batches=st.lists(st.tuples(st.lists(DELETIONS, max_size=3), st.lists(TEXTS, max_size=15)), min_size=1, max_size=3),
    conditions=st.lists(CONDITIONS, min_size=1, max_size=6),
    span=spans(),
)
def test_random_changes_and_searches_end_as_in_memory(
    embedded: TantivyIndex,
    batches: list[tuple[list[Deletion], list[IndexedText]]],
    conditions: list[Condition],
    span: Span,
) -> None:
    source, model = uuid.uuid4().hex, MemoryIndex()  # examples share one index: each asks for its own source
    for deletions, texts in batches:
        gone = [replace(deletion, id=f"{source}-{deletion.id}") for deletion in deletions]
        there = [replace(text, id=f"{source}-{text.id}", source=source) for text in texts]
        for index in (embedded, model):
            index.apply(gone, there, "")
    for condition in conditions:
        query = Query("", AllOf((FieldIs("source", source), condition)))
        within = TimeRange(span.from_ms, span.to_ms)
        assert embedded.count(query) == model.count(query)
        assert embedded.extent(query) == model.extent(query)
        assert_same_timeline(embedded.timeline(query, span, NOW_MS), model.timeline(query, span, NOW_MS))
        for order in ("newest", "positive", "negative"):
            assert walk(embedded, query, order) == walk(model, query, order)
        assert walk(embedded, query, within=within) == walk(model, query, within=within)


def test_terms_are_counted_as_in_memory_after_replacements_and_deletions(tmp_path: Path) -> None:
    draw = random.Random(7)
    vocabulary = [f"w{n}" for n in range(60)] + ["naïve", "茶", "a.b"]
    topics = ["tea", "x y", "c++", "[", "*", "a|b", "ça"]
    embedded, model = TantivyIndex(tmp_path / "insight"), MemoryIndex()
    for revision in range(4):
        texts = [_drawn(draw, revision, vocabulary, topics) for _ in range(300)]
        gone = [Deletion(f"t{draw.randrange(500)}", revision) for _ in range(40)]
        for index in (embedded, model):
            index.apply(gone, texts, "")
    for q in ("w1", "w1 or w2", "#tea", 'topic:"c++"', 'topic:"["', "tone > 0.5", "not w3", ""):
        _assert_same_terms(embedded, model, search(q))
        for name in ("source", "language", "topic", "author"):
            _assert_same_facets(embedded, model, search(q), name)
    for typed in ("w", "w1", "#", "#c", "#[", "*", "茶", "x"):
        assert embedded.complete(typed, 7) == model.complete(typed, 7), typed
    embedded.close()


def _drawn(draw: random.Random, revision: int, vocabulary: list[str], topics: list[str]) -> IndexedText:
    """Return a text whose words depend on its topic, so that some go together."""
    topic = draw.choice(topics)
    first = topics.index(topic) * 8
    words = draw.choices(vocabulary[first : first + 15], k=5) + draw.choices(vocabulary, k=5)
    feeling = draw.choice([None, draw.uniform(-1, 1)])
    text = indexed(f"t{draw.randrange(500)}", revision=revision, sentiment=feeling, topics=(topic,))
    source, language = draw.choice([None, "rss", "a b", "*"]), draw.choice([None, "en", "de"])
    author = f"{draw.randrange(40):032x}"
    return replace(text, words=tuple(words), source=source, language=language, author_key=author)


def _assert_same_facets(one: InsightIndex, other: InsightIndex, query: Query, name: FacetName) -> None:
    left, right = (index.facets(query, name, 7) for index in (one, other))
    assert [(each.value, each.count) for each in left] == [(each.value, each.count) for each in right]
    assert left, "each search finds some"
    means = [[each.sentiment or 7.0 for each in side] for side in (left, right)]
    assert means[0] == pytest.approx(means[1], abs=1e-9)


def _assert_same_terms(one: InsightIndex, other: InsightIndex, query: Query) -> None:
    left, right = (index.related(query, 20) for index in (one, other))
    assert [(each.term, each.kind, each.count) for each in left] == [
        (each.term, each.kind, each.count) for each in right
    ]
    means = [[each.lift for each in side] + [each.sentiment or 7.0 for each in side] for side in (left, right)]
    assert means[0] == pytest.approx(means[1], abs=1e-9)
    if query.text.startswith("#"):
        assert left, "topics and words go together here"
