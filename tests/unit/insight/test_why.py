"""Why a tone moved: parts that add up, and made-up causes that are found."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.insight.why import Group, GroupSums, SpanSums, sentence, split_change

VERSIONS = (None, 1, 2)
TOPICS = (None, "tram", "flood", "rovers")

sums = st.builds(
    lambda weight, tone, spread: GroupSums(weight, weight * tone, weight * min(1.0, tone * tone + spread)),
    st.floats(0.1, 1e6),
    st.floats(-1, 1),
    st.floats(0, 1),
)
spans = st.builds(
    SpanSums,
    st.floats(0.01, 400),
    st.dictionaries(st.tuples(st.sampled_from(TOPICS), st.sampled_from(VERSIONS)), sums, min_size=1),
)
offsets = st.dictionaries(st.sampled_from((1, 2)), st.floats(-0.5, 0.5))


@given(spans, spans, offsets)
def test_the_parts_add_up_to_the_change(before: SpanSums, after: SpanSums, known: dict[int, float]) -> None:
    change = split_change(before, after, known)
    assert change is not None
    assert change.mix + change.inside + change.model + change.volume == pytest.approx(change.change, abs=1e-9)
    assert change.mix + change.inside + change.model == pytest.approx(change.tone_change, abs=1e-9)


@given(spans, spans, offsets)
def test_the_way_back_is_the_same_with_the_other_sign(
    before: SpanSums, after: SpanSums, known: dict[int, float]
) -> None:
    there, back = split_change(before, after, known), split_change(after, before, known)
    assert there is not None
    assert back is not None
    for part in ("change", "mix", "inside", "model", "volume"):
        assert getattr(there, part) == pytest.approx(-getattr(back, part), abs=1e-9)


def span(counts: dict[str, int], tones: dict[str, float], version: int = 1, seed: int = 0) -> SpanSums:
    """Draw texts of each topic around its tone."""
    draw = random.Random(seed)
    groups: dict[Group, GroupSums] = {}
    for topic, count in counts.items():
        values = [max(-1.0, min(1.0, draw.gauss(tones[topic], 0.3))) for _ in range(count)]
        groups[topic, version] = GroupSums(count, sum(values), sum(value * value for value in values))
    return SpanSums(7, groups)


COUNTS = {"tram": 4000, "flood": 2000, "rovers": 4000}
TONES = {"tram": 0.3, "flood": -0.4, "rovers": 0.2}
CAUSES = {
    "mix": (span({"tram": 2000, "flood": 6000, "rovers": 2000}, TONES, seed=1), {}),
    "inside": (span(COUNTS, TONES | {"tram": -0.4}, seed=2), {}),
    "model": (span(COUNTS, {topic: tone + 0.2 for topic, tone in TONES.items()}, version=2, seed=3), {2: 0.2}),
    "volume": (span({topic: 3 * count for topic, count in COUNTS.items()}, TONES, seed=4), {}),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_a_made_up_cause_is_found(cause: str) -> None:
    after, known = CAUSES[cause]
    change = split_change(span(COUNTS, TONES), after, known)
    assert change is not None
    parts = {name: getattr(change, name) for name in CAUSES}
    assert abs(parts[cause]) > 0.9 * sum(map(abs, parts.values()))


def test_a_topic_that_one_span_lacks_is_a_change_of_mix() -> None:
    change = split_change(span({"tram": 50}, TONES), span({"tram": 50, "flood": 50}, TONES), {})
    assert change is not None
    flood = next(driver for driver in change.drivers if driver.topic == "flood")
    assert (flood.inside, flood.sentiment_before, flood.count_before) == (0, None, 0)
    assert flood.mix < -0.1


def test_an_empty_span_gets_no_verdict() -> None:
    assert split_change(span({"tram": 5}, TONES), SpanSums(7, {}), {}) is None


def test_the_sentence_says_what_moved_the_tone_and_how_sure_that_is() -> None:
    change = split_change(span(COUNTS, TONES), CAUSES["inside"][0], {})
    assert change is not None
    said = sentence("Harwick", change)
    assert said.startswith(
        "The tone of texts about Harwick fell by 0.28, from +0.12 to -0.16 (95 % interval of the change"
    )
    assert said.endswith("is how the same topics were discussed, most of all tram.")


def test_few_texts_make_no_claim() -> None:
    change = split_change(span({"tram": 3}, TONES), span({"tram": 3}, TONES | {"tram": 0.1}, seed=9), {})
    assert change is not None
    assert not change.is_certain
    assert "may be chance" in sentence("", change)
