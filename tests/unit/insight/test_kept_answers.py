"""Answers are kept while nothing has changed, and never take more than their share of memory."""

from __future__ import annotations

from serve_app.insight.search import InsightAnswer, Question, Search
from serve_app.insight.service import InsightAnswerCache

NOW = ("commit-1", 7)
LATER = ("commit-2", 7)


def asked(query: str) -> tuple[Question, Search]:
    return Question.TIMELINE, Search((query,))


def answer(size: int) -> InsightAnswer:
    return InsightAnswer("commit", b"x" * size)


def test_an_answer_is_kept_for_its_moment_alone():
    kept = InsightAnswerCache(100)
    kept.put(NOW, asked("a"), answer(10))
    assert kept.get(NOW, asked("a")) == answer(10)
    assert kept.get(NOW, asked("b")) is None
    assert kept.get(LATER, asked("a")) is None


def test_what_was_asked_for_longest_ago_makes_room():
    kept = InsightAnswerCache(100)
    for name in ("a", "b", "c"):
        kept.put(NOW, asked(name), answer(30))
    kept.get(NOW, asked("a"))
    kept.put(NOW, asked("d"), answer(30))
    assert [kept.get(NOW, asked(name)) is not None for name in "abcd"] == [True, False, True, True]


def test_an_answer_that_comes_again_counts_once():
    kept = InsightAnswerCache(100)
    for _ in range(10):
        kept.put(NOW, asked("a"), answer(60))
    kept.put(NOW, asked("b"), answer(40))
    assert kept.get(NOW, asked("a"))
    assert kept.get(NOW, asked("b"))


def test_a_new_moment_drops_all_answers_of_the_one_before():
    kept = InsightAnswerCache(100)
    kept.put(NOW, asked("a"), answer(90))
    kept.put(LATER, asked("b"), answer(90))
    assert kept.get(LATER, asked("b"))
    assert kept.get(NOW, asked("a")) is None


def test_one_that_is_larger_than_all_room_is_not_kept():
    kept = InsightAnswerCache(100)
    kept.put(NOW, asked("a"), answer(101))
    assert kept.get(NOW, asked("a")) is None
    kept.put(NOW, asked("b"), answer(100))
    assert kept.get(NOW, asked("b"))
