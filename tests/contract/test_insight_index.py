"""What every insight index does."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from sentiment.errors import InvalidInput, Unavailable
from sentiment.insight.index import InsightIndex
from sentiment.insight.values import Completion, Deletion, IndexedText, Span, TimeRange
from tests.contract.insight_texts import NOW_MS, indexed, instant, search, walk
from tests.contract.test_pages import BROKEN_CURSORS

EVERYTHING = search("")
HOUR_MS = 3_600_000


def counts(index: InsightIndex, span: Span, q: str = "", now_ms: int = 2 * NOW_MS) -> list[int]:
    return [point.count for point in index.timeline(search(q), span, now_ms).points]


def test_a_new_index_is_empty(insight: InsightIndex) -> None:
    assert insight.position == ""
    assert insight.count(EVERYTHING) == insight.count(search("not tea")) == 0
    assert insight.extent(EVERYTHING) is None
    assert walk(insight, EVERYTHING) == []
    assert insight.related(EVERYTHING, 5) == insight.complete("t", 5) == []
    [point] = insight.timeline(EVERYTHING, Span(NOW_MS, NOW_MS + HOUR_MS, "hour"), 2 * NOW_MS).points
    assert (point.count, point.sentiment, point.low, point.high, point.labels) == (0, None, None, None, {})


def test_a_commit_changes_its_name_and_keeps_the_position(insight: InsightIndex) -> None:
    commits = [insight.commit]
    for position in ("first", "second", '{"odd": "\\u0000 é"}'):
        insight.apply([], [indexed("one")], position)
        commits.append(insight.commit)
        assert insight.position == position
    assert len(set(commits)) == 4
    assert insight.top(EVERYTHING, "newest", 1).commit == commits[-1]
    assert insight.timeline(EVERYTHING, Span(NOW_MS, NOW_MS + 1), 2 * NOW_MS).commit == commits[-1]


def test_a_later_revision_replaces_a_text_everywhere(insight: InsightIndex) -> None:
    insight.apply([], [indexed("one", "good tea", label="positive", sentiment=0.5, model_version=1)], "1")
    insight.apply([], [indexed("one", "bad milk", revision=2, label="negative", sentiment=-0.5, model_version=2)], "2")
    assert insight.count(search("tea")) == insight.count(search("label:positive")) == 0
    assert insight.count(search("milk label:negative version:2 tone < 0")) == insight.count(EVERYTHING) == 1
    [point] = insight.timeline(EVERYTHING, Span(NOW_MS, NOW_MS + 1), 2 * NOW_MS).points
    assert (point.count, point.sentiment, dict(point.labels)) == (1, -0.5, {"negative": 1})


def test_an_older_revision_that_comes_late_changes_nothing(insight: InsightIndex) -> None:
    insight.apply([], [indexed("one", "tea", revision=5)], "1")
    insight.apply([Deletion("one", 4)], [indexed("one", "milk", revision=3)], "2")
    assert walk(insight, search("tea")) == ["one"]
    assert insight.count(search("milk")) == 0


def test_a_deleted_text_leaves_every_count_and_no_older_revision_brings_it_back(insight: InsightIndex) -> None:
    insight.apply([], [indexed("one", "tea", topics=("tea",), label="positive"), indexed("two", "milk")], "1")
    insight.apply([Deletion("one", 2)], [], "2")
    insight.apply([], [indexed("one", "tea", revision=2), indexed("one", "tea", revision=1)], "3")
    for q in ("tea", "#tea", "label:positive", "not milk"):
        assert insight.count(search(q)) == 0
    assert walk(insight, EVERYTHING) == ["two"]
    assert insight.complete("te", 5) == []
    assert counts(insight, Span(NOW_MS, NOW_MS + 1)) == [1]


def test_a_deletion_counts_even_before_its_text_comes(insight: InsightIndex) -> None:
    insight.apply([Deletion("one", 7)], [], "1")
    insight.apply([], [indexed("one", revision=7)], "2")
    assert insight.count(EVERYTHING) == 0
    insight.apply([], [indexed("one", revision=8)], "3")
    assert insight.count(EVERYTHING) == 1


def test_of_one_commit_the_highest_revision_counts(insight: InsightIndex) -> None:
    texts = [indexed("one", "tea", revision=2), indexed("one", "milk", revision=1), indexed("two", revision=3)]
    insight.apply([Deletion("one", 1), Deletion("two", 3)], texts, "1")
    assert walk(insight, EVERYTHING) == walk(insight, search("tea")) == ["one"]


def test_the_same_changes_again_change_no_content(insight: InsightIndex) -> None:
    for _ in range(3):
        insight.apply([Deletion("two", 4)], [indexed("one", "tea tea", revision=4)], "same")
        assert walk(insight, EVERYTHING) == ["one"]
        assert insight.count(search('"tea tea"')) == 1


def test_words_of_every_script_are_found(insight: InsightIndex) -> None:
    words = "我喝好茶 👍🏽 été naïve हिन्दी में مرحبا c++ don't fine"
    insight.apply([], [indexed("one", words, topics=("çava",)), indexed("two", "nothing of it")], "1")
    for q in ("茶", '"好茶"', "好 茶", "👍", "👍🏽", "ÉTÉ", "naïve", "हिन्दी", "مرحبا", "c++", "don't", "ﬁne", "#ÇAVA"):
        assert walk(insight, search(q)) == ["one"], q


def test_half_a_character_is_searched_for_in_vain_and_harms_nothing(insight: InsightIndex) -> None:
    insight.apply([], [indexed("one", "tea", source="rss")], "1")
    for q in ("source:\ud83d", "topic:\ude00x", "a\ud83d or source:\ud83d", 'author:"\ud83d"'):
        assert insight.count(search(q)) == 0
    assert insight.complete("\ud83d", 5) == insight.complete("#\ud83d", 5) == []


def test_a_phrase_needs_its_words_in_order_and_a_long_word_is_found_whole(insight: InsightIndex) -> None:
    long = "é" * 40_000
    insight.apply([], [indexed("one", f"tea with milk {long}"), indexed("two", "milk with tea")], "1")
    assert walk(insight, search('"tea with milk"')) == ["one"]
    assert walk(insight, search('"tea milk"')) == []
    assert walk(insight, search("é" * 900)) == ["one"]


def test_texts_of_one_millisecond_are_listed_once_each_in_one_order(insight: InsightIndex) -> None:
    texts = [indexed(f"t{n}", sentiment=(n % 3 - 1) / 3, created_at_ms=NOW_MS + n % 2) for n in range(1000)]
    insight.apply([], texts[:600], "1")
    insight.apply([], texts[600:], "2")
    for order in ("newest", "positive", "negative"):
        ids = walk(insight, EVERYTHING, order, 30)
        assert len(ids) == len(set(ids)) == 1000
        assert ids == walk(insight, EVERYTHING, order, 1000) == walk(insight, EVERYTHING, order, 77)
    assert {f"t{n}" for n in range(1, 1000, 2)} == set(walk(insight, EVERYTHING, "newest", 1000)[:500])


def test_the_most_positive_and_negative_come_first_and_the_newest_of_equals(insight: InsightIndex) -> None:
    feelings = {"a": 0.9, "b": 0.90001, "c": -0.2, "d": None, "e": -1.0, "f": 1.0}
    texts = [indexed(id_, sentiment=feeling) for id_, feeling in feelings.items()]
    insight.apply([], [*texts, indexed("later", sentiment=0.9, created_at_ms=NOW_MS + 60_000)], "1")
    positive, negative = (walk(insight, EVERYTHING, order) for order in ("positive", "negative"))
    assert (positive[:2], positive[4:]) == (["f", "later"], ["c", "e"])
    assert (negative[:3], negative[-1]) == (["e", "c", "later"], "f")


def test_texts_that_come_and_go_between_pages_disturb_none(insight: InsightIndex) -> None:
    insight.apply([], [indexed(f"t{n}", created_at_ms=NOW_MS + n) for n in range(10)], "1")
    first = insight.top(EVERYTHING, "newest", 4)
    insight.apply([Deletion("t6", 2)], [indexed("newer", created_at_ms=NOW_MS + 50)], "2")
    assert first.ids == ("t9", "t8", "t7", "t6")
    second = insight.top(EVERYTHING, "newest", 4, after=first.next_cursor)
    assert second.ids == ("t5", "t4", "t3", "t2")


def test_a_broken_cursor_is_refused(insight: InsightIndex) -> None:
    for cursor in BROKEN_CURSORS:
        with pytest.raises(InvalidInput) as caught:
            insight.top(EVERYTHING, "newest", 5, after=cursor)
        assert caught.value.field == "after"


def test_ranges_of_time_hold_their_beginning_and_not_their_end(insight: InsightIndex) -> None:
    insight.apply([], [indexed(f"t{n}", created_at_ms=n - 2) for n in range(5)], "1")
    assert walk(insight, EVERYTHING, within=TimeRange(-1, 2)) == ["t3", "t2", "t1"]
    assert insight.count(EVERYTHING, TimeRange(to_ms=-1)) == insight.count(search("not tea"), TimeRange(2)) == 1
    assert insight.count(EVERYTHING, TimeRange(2**70, 2**71)) == 0
    assert insight.extent(search("good")) == TimeRange(-2, 3)
    assert counts(insight, Span(-2, 3, "hour")) == [2, 3]


@pytest.mark.parametrize(
    ("tz", "bucket", "times", "expected"),
    [
        ("Europe/Berlin", "day", [(2026, 3, 28, 23, 59), (2026, 3, 29, 0, 0), (2026, 3, 30, 0, 0)], [1, 1, 1]),
        ("Europe/Berlin", "day", [(2026, 10, 25, 0, 0), (2026, 10, 25, 23, 59), (2026, 10, 26, 0, 0)], [2, 1]),
        ("Europe/Berlin", "week", [(2026, 3, 29, 23, 59), (2026, 3, 30, 0, 0), (2026, 4, 5, 23, 0)], [1, 2]),
        ("America/New_York", "month", [(2026, 10, 31, 23, 0), (2026, 11, 1, 0, 0), (2026, 12, 1, 0, 0)], [1, 1, 1]),
        ("Asia/Kathmandu", "hour", [(2026, 1, 1, 0, 59), (2026, 1, 1, 1, 0), (2026, 1, 1, 3, 30)], [1, 1, 0, 1]),
        ("Pacific/Apia", "day", [(2011, 12, 29, 23, 0), (2011, 12, 31, 0, 0)], [1, 1]),
    ],
)
def test_buckets_follow_the_local_clock(insight: InsightIndex, tz, bucket, times, expected) -> None:
    instants = [instant(tz, *when) for when in times]
    insight.apply([], [indexed(f"t{at}", created_at_ms=at) for at in instants], "1")
    assert counts(insight, Span(instants[0], instants[-1] + 1, bucket, tz)) == expected


def test_the_hour_that_comes_twice_makes_two_buckets(insight: InsightIndex) -> None:
    twice = [instant("Europe/Berlin", 2026, 10, 25, 2, 30, fold=fold) for fold in (0, 1)]
    insight.apply([], [indexed(f"t{at}", created_at_ms=at) for at in twice], "1")
    begin = instant("Europe/Berlin", 2026, 10, 25, 1)
    assert counts(insight, Span(begin, begin + 4 * HOUR_MS, "hour", "Europe/Berlin")) == [0, 1, 1, 0]


def test_a_timeline_adds_up_labels_versions_and_means(insight: InsightIndex) -> None:
    texts = [
        indexed("a", label="positive", sentiment=0.9, model_version=1),
        indexed("b", label="positive", sentiment=0.5, model_version=2),
        indexed("c", label="negative", sentiment=-1.0),
        indexed("d"),
    ]
    insight.apply([], texts, "1")
    line = insight.timeline(search("good"), Span(NOW_MS, NOW_MS + HOUR_MS), 2 * NOW_MS)
    [point] = line.points
    assert (line.query, line.bucket, line.tz, line.total, point.count) == ("good", "hour", "UTC", 4, 4)
    assert point.sentiment == line.sentiment == pytest.approx(0.4 / 3, abs=1e-9)
    assert dict(point.labels) == {"positive": 2, "negative": 1, "unlabelled": 1}
    assert {name: (mean.count, mean.sentiment) for name, mean in point.versions.items()} == {
        "1": (1, pytest.approx(0.9)),
        "2": (1, pytest.approx(0.5)),
    }
    assert point.low is not None
    assert point.high is not None
    assert -1 <= point.low < point.sentiment < point.high <= 1


def test_compared_searches_share_their_buckets_and_the_whole(insight: InsightIndex) -> None:
    insight.apply([], [indexed("a", "tea"), indexed("b", "tea milk"), indexed("c", "milk"), indexed("d", "milk")], "1")
    both = insight.compare([search("tea"), search("milk")], Span(NOW_MS, NOW_MS + HOUR_MS), 2 * NOW_MS)
    assert [line.total for line in both.series] == [2, 3]
    assert both.shares == pytest.approx((0.4, 0.6))
    none = insight.compare([search("cola")], Span(NOW_MS, NOW_MS + HOUR_MS), 2 * NOW_MS)
    assert none.shares == (None,)


def test_what_goes_with_a_search_is_more_frequent_there(insight: InsightIndex) -> None:
    texts = [indexed(f"a{n}", "flood river the", topics=("c++", "a.b"), sentiment=-0.5) for n in range(10)]
    texts += [indexed(f"b{n}", "cat sofa the", topics=("cats",)) for n in range(40)]
    insight.apply([], texts, "1")
    found = insight.related(search("flood"), 5)
    assert [(each.term, each.kind, each.count) for each in found] == [
        ("a.b", "topic", 10),
        ("c++", "topic", 10),
        ("river", "word", 10),
    ]
    assert {each.lift for each in found} == {5.0}
    assert {each.sentiment for each in found} == {-0.5}
    assert insight.related(search("flood or cat"), 5) == []
    assert insight.related(search('flood topic:"c++"'), 1)[0].term == "a.b"


def test_completion_counts_texts_and_folds_as_words_do(insight: InsightIndex) -> None:
    insight.apply([], [indexed("a", "Tea teapot tea"), indexed("b", "tea", topics=("tea time",))], "1")
    tea, pot, time = Completion("tea", "word", 2), Completion("teapot", "word", 1), Completion("tea time", "topic", 1)
    assert insight.complete("milk and (TE", 5) == [tea, time, pot]
    assert insight.complete("te", 1) == [tea]
    assert insight.complete("#T", 5) == insight.complete("#", 5) == [time]
    assert insight.complete("", 5) == insight.complete("tea ", 5) == insight.complete("x", 5) == []


def test_a_rebuild_replaces_all_and_takes_what_comes_meanwhile(insight: InsightIndex) -> None:
    insight.apply([Deletion("three", 9)], [indexed("old"), indexed("one", "tea")], "before")
    commit = insight.commit

    def texts() -> Iterator[IndexedText]:
        yield indexed("one", "milk", revision=2)
        changes = ([Deletion("two", 3)], [indexed("four")], "meanwhile")
        other = threading.Thread(target=insight.apply, args=changes)
        other.start()
        other.join()
        assert insight.count(search("tea")) == 1
        yield indexed("two", revision=2)
        yield indexed("three", revision=2)

    insight.rebuild(texts(), "after")
    assert sorted(walk(insight, EVERYTHING)) == ["four", "one", "three"]
    assert insight.position == "meanwhile"
    assert insight.commit != commit
    insight.rebuild([], "empty")
    assert (insight.count(EVERYTHING), insight.position) == (0, "empty")


def test_a_rebuild_that_fails_leaves_all_as_it_was(insight: InsightIndex) -> None:
    insight.apply([], [indexed("one")], "before")

    def broken() -> Iterator[IndexedText]:
        yield indexed("two")
        raise KeyError

    with pytest.raises(KeyError):
        insight.rebuild(broken(), "after")
    assert (walk(insight, EVERYTHING), insight.position) == (["one"], "before")
    insight.apply([], [indexed("three")], "later")
    assert insight.count(EVERYTHING) == 2


def test_a_closed_index_says_so(insight: InsightIndex) -> None:
    insight.close()
    insight.close()
    for call in (lambda: insight.apply([], [], ""), lambda: insight.count(EVERYTHING)):
        with pytest.raises(Unavailable, match="closed"):
            call()
