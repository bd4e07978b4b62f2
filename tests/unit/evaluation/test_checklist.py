"""Behaviour tests: their cases, and how a model's answers to them are judged."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

import numpy as np
import pytest

from sentiment.evaluation.checklist import BehaviourTest, Case, run_tests
from sentiment.evaluation.phrases import add_typo, fill
from sentiment.evaluation.templates import make_tests
from sentiment.labels import THREE_CLASSES, TWO_CLASSES
from sentiment.text import CURRENT_NORMALIZER, NORMALIZERS

_ANSWERS = {
    "fine": (0.1, 0.2, 0.7),
    "so so": (0.2, 0.6, 0.2),
    "less fine": (0.1, 0.35, 0.55),
    "bad": (0.8, 0.1, 0.1),
}


def _classify(texts: Sequence[str]):
    return np.array([_ANSWERS[text] for text in texts])


def _run(kind, *cases, groups=()):
    (outcome,) = run_tests(
        [BehaviourTest("capability", "name", kind, cases, groups)],
        _classify,
        THREE_CLASSES,
        NORMALIZERS[CURRENT_NORMALIZER],
    )
    return outcome


def test_a_minimum_functionality_test_fails_on_labels_that_are_not_allowed():
    allowed = frozenset({"positive"})
    outcome = _run("MFT", Case(("fine",), allowed), Case(("so so",), allowed))
    assert (outcome.cases, outcome.failures, outcome.failure_rate) == (2, 1, 0.5)
    (failure,) = outcome.examples
    assert (failure.texts, failure.said, failure.wanted) == (("so so",), ("neutral",), "positive")


def test_an_invariance_test_fails_when_any_label_differs():
    outcome = _run("INV", Case(("fine", "less fine")), Case(("fine", "less fine", "so so")))
    assert outcome.failures == 1
    assert outcome.examples[0].said == ("positive", "positive", "neutral")


def test_a_direction_test_allows_a_tenth_the_wrong_way():
    outcome = _run(
        "DIR",
        Case(("so so", "fine"), direction=1),
        Case(("fine", "bad"), direction=1),
        Case(("fine", "less fine"), direction=1),
        Case(("bad", "so so"), direction=-1),
    )
    assert [failure.texts for failure in outcome.examples] == [("fine", "bad"), ("fine", "less fine"), ("bad", "so so")]


def test_people_are_told_apart_by_mean_sentiment():
    outcome = _run("INV", Case(("fine", "so so")), Case(("bad", "bad")), groups=("women", "men"))
    assert outcome.groups == {"women": pytest.approx((0.6 - 0.7) / 2), "men": pytest.approx((0.0 - 0.7) / 2)}


def test_equal_texts_are_classified_once_and_normalised():
    asked: list[str] = []

    def classify(texts):
        asked.extend(texts)
        return np.full((len(texts), 3), 1 / 3)

    cases = (Case(("ask @me", "see https://example.org")), Case(("ask @you", "see  http")))
    run_tests([BehaviourTest("c", "n", "INV", cases)], classify, THREE_CLASSES, NORMALIZERS[CURRENT_NORMALIZER])
    assert asked == ["ask @user", "see http"]


def test_equal_seeds_make_equal_tests_and_others_do_not():
    one, same, other = (make_tests(THREE_CLASSES, cases=20, seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_every_capability_is_tested_in_every_kind_that_it_has():
    tests = make_tests(THREE_CLASSES, cases=20, texts=["quite an ordinary sentence about a train"])
    kinds = {(test.capability, test.kind) for test in tests}
    assert kinds == {
        ("vocabulary", "MFT"),
        ("negation", "MFT"),
        ("temporal", "MFT"),
        ("robustness", "INV"),
        ("fairness", "INV"),
        ("direction", "DIR"),
    }
    assert all(len(test.cases) == 20 for test in tests)
    assert all(len(set(test.cases)) == len(test.cases) for test in tests)


def test_no_template_runs_out_of_fillings():
    assert {len(test.cases) for test in make_tests(THREE_CLASSES, cases=100)} == {100}


def test_a_model_that_knows_no_neutral_is_not_asked_for_it():
    tests = make_tests(TWO_CLASSES, cases=5)
    assert {"plain statements", "plain statement denied"}.isdisjoint(test.name for test in tests)
    assert all(case.allowed <= set(TWO_CLASSES) for test in tests for case in test.cases)


def test_cases_of_people_differ_in_the_person_only():
    names = next(test for test in make_tests(THREE_CLASSES, cases=30) if test.name == "names")
    for case in names.cases:
        assert len(case.texts) == len(names.groups)
        assert len({len(text.split()) for text in case.texts}) == 1


def test_directional_cases_keep_their_words():
    tests = [test for test in make_tests(THREE_CLASSES, cases=30) if "added" in test.name]
    assert tests
    assert all(case.texts[1].startswith(case.texts[0]) for test in tests for case in test.cases)


def test_slots_are_filled_and_articles_agree():
    texts = [case.texts[0] for test in make_tests(THREE_CLASSES, cases=100) for case in test.cases]
    assert not [text for text in texts if "{" in text]
    assert not [text for text in texts if re.search(r"\b[Aa] [aeiouAEIOU]|\b[Aa]n [^aeiouAEIOU]", text)]
    assert fill("A {who} friend", Random(0), who="American") == "An American friend"


def test_a_typo_swaps_two_neighbouring_letters_of_one_word():
    changed = add_typo("The concert was 10 out", Random(4))
    assert changed != "The concert was 10 out"
    assert sorted(changed) == sorted("The concert was 10 out")
    assert add_typo("it is 10 aaaa", Random(4)) == "it is 10 aaaa"
