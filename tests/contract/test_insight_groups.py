"""How every insight index adds up texts by topic and model version."""

from __future__ import annotations

from sentiment.insight.index import InsightIndex
from sentiment.insight.values import TimeRange
from sentiment.insight.why import OTHER_TOPICS
from tests.contract.insight_texts import NOW_MS, indexed, search

EVERYTHING = search("")


def test_groups_hold_every_text_once_by_topic_and_version(insight: InsightIndex) -> None:
    texts = [
        indexed("a", topics=("tea", "milk"), sentiment=0.5, model_version=1, label="positive"),
        indexed("b", topics=("tea",), sentiment=-1.0, model_version=2, label="negative"),
        indexed("c", sentiment=0.25, model_version=1, label="neutral"),
        indexed("d", topics=("rain",), sentiment=1.0, label="positive"),
        indexed("e", topics=("tea",)),
    ]
    insight.apply([], texts, "1")
    groups = insight.groups(EVERYTHING)
    assert {group: (sums.weight, sums.total, sums.squares) for group, sums in groups.items()} == {
        ("tea", 1): (0.5, 0.25, 0.125),
        ("milk", 1): (0.5, 0.25, 0.125),
        ("tea", 2): (1.0, -1.0, 1.0),
        (None, 1): (1.0, 0.25, 0.0625),
        ("rain", None): (1.0, 1.0, 1.0),
    }
    few = insight.groups(EVERYTHING, topics=1)
    assert {group: sums.weight for group, sums in few.items()} == {
        ("tea", 1): 0.5,
        ("tea", 2): 1.0,
        (None, 1): 1.0,
        (OTHER_TOPICS, 1): 0.5,
        (OTHER_TOPICS, None): 1.0,
    }
    assert insight.groups(search("version:2")).keys() == {("tea", 2)}
    assert insight.groups(EVERYTHING, TimeRange(to_ms=NOW_MS - 1)) == {}
