"""Splits that copies do not cross, and texts that stand in two versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentiment.datasets import Example, open_datasets
from sentiment.datasets.leaks.search import LeakKind, find_leaks, leak_keys, unique, without
from sentiment.datasets.split import Split, parse_split, push_split
from sentiment.errors import Conflict, InvalidInput

LONG = "the film begins slowly but the second hour is as good as anything this director has made in ten years"


def many(count: int) -> list[Example]:
    return [Example(f"text number {number}", ("negative", "positive")[number % 2]) for number in range(count)]


def test_a_split_has_about_the_shares_that_were_asked_for() -> None:
    split = Split((0.8, 0.1, 0.1), seed=42)
    parts = [split.part_of(example.text) for example in many(5000)]
    assert [parts.count(part) / 5000 for part in split.parts] == pytest.approx([0.8, 0.1, 0.1], abs=0.02)


def test_a_text_keeps_its_part_and_its_copies_share_it() -> None:
    split = Split()
    assert all(split.part_of(f"RT @user: {text.text.upper()}!!") == split.part_of(text.text) for text in many(50))
    assert [split.part_of(each.text) for each in many(100)] != [Split(seed=7).part_of(each.text) for each in many(100)]


def test_a_split_is_pushed_as_three_datasets_that_share_no_text(tmp_path: Path) -> None:
    store = open_datasets(tmp_path)
    versions = push_split(store, "tweets", many(200), Split(), source="tests")
    assert [version.ref for version in versions] == ["tweets-train@1", "tweets-validation@1", "tweets-test@1"]
    texts = [{example.text for example in store.read(version)} for version in versions]
    assert len(set.union(*texts)) == sum(map(len, texts)) == 200
    assert versions[0].source == "tests; split 0.8,0.1,0.1, seed 42"


def test_a_part_that_gets_too_little_stops_all_parts(tmp_path: Path) -> None:
    store = open_datasets(tmp_path)
    with pytest.raises(InvalidInput, match=r"tweets-\w+ would get \d examples of \d classes"):
        push_split(store, "tweets", many(6), Split(), source="tests")
    assert store.names() == []


def test_a_part_that_has_other_labels_already_stops_all_parts(tmp_path: Path) -> None:
    store = open_datasets(tmp_path)
    three = [Example(f"text {number}", label) for number, label in enumerate(("negative", "neutral", "positive"))]
    store.push("tweets-test", three, source="tests")
    with pytest.raises(Conflict, match=r"tweets-test@1 has negative, neutral, positive"):
        push_split(store, "tweets", many(200), Split(), source="tests")
    assert store.names() == ["tweets-test"]


@pytest.mark.parametrize("text", ["0.8", "0.8,0.3", "0.8,0.2,0.0", "a,b", "0.4,0.2,0.2,0.2", "nan,0.5"])
def test_shares_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"--split .*0\.8,0\.1,0\.1"):
        parse_split(text, 42)


def test_leaks_are_found_by_their_text_their_words_and_nearly() -> None:
    first = [Example("so good", "positive"), Example("So bad!", "negative"), Example(LONG, "positive")]
    second = [
        Example("something else entirely", "neutral"),
        Example("so good", "negative"),
        Example("RT @user so BAD http", "negative"),
        Example(LONG.replace("slowly", "quickly"), "positive"),
    ]
    found = list(find_leaks(first, second))
    assert [(leak.kind, leak.row, leak.first_row) for leak in found] == [
        (LeakKind.EXACT, 2, 1),
        (LeakKind.SAME_WORDS, 3, 2),
        (LeakKind.NEAR, 4, 3),
    ]
    assert (found[0].label, found[0].first_label) == ("negative", "positive")
    assert found[2].overlap == pytest.approx(15 / 21)  # 18 runs of three words each, 3 of them changed
    assert [leak.row for leak in find_leaks(first, second, near=False)] == [2, 3]
    assert [leak.row for leak in find_leaks(first, second, threshold=0.75)] == [2, 3]


def test_texts_that_only_share_words_are_no_leak() -> None:
    shuffled = " ".join(sorted(LONG.split()))
    assert list(find_leaks([Example(LONG, None)], [Example(shuffled, None), Example("the film begins", None)])) == []
    assert list(find_leaks([], [Example(LONG, None)])) == []


def test_near_duplicates_are_found_among_many_others() -> None:
    words = LONG.split()
    texts = [" ".join(words[number % 7 :] + [f"w{number}{place}" for place in range(30)]) for number in range(500)]
    changed = [text.replace("w", "v", 1) if number % 2 else f"{text} yes" for number, text in enumerate(texts)]
    found = list(find_leaks([Example(text, None) for text in texts], [Example(text, None) for text in changed]))
    assert [leak.first_row for leak in found] == list(range(1, 501))


@pytest.mark.parametrize("threshold", [0.0, 1.1, float("nan")])
def test_a_threshold_that_is_no_share_is_refused(threshold: float) -> None:
    with pytest.raises(InvalidInput, match="--threshold"):
        list(find_leaks([], [], threshold))


def test_copies_and_texts_of_another_version_can_be_left_out() -> None:
    examples = [Example("so good", "positive"), Example("SO GOOD!", "negative"), Example("so bad", "negative")]
    assert list(unique(examples)) == [examples[0], examples[2]]
    assert list(without(examples, leak_keys([Example("so good", None)]))) == [examples[2]]
