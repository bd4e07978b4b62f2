"""The templates that behaviour tests are made of, and the words that fill them. Equal seeds make equal tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Final

from sentiment.evaluation import phrases
from sentiment.evaluation.checklist import BehaviourTest, Case, Kind
from sentiment.labels import NEGATIVE, NEUTRAL, POSITIVE

_TRIES: Final = 30  # a template with few fillings gives fewer cases than asked for

_CONTRACTED: Final = (("isn't", "is not"), ("wasn't", "was not"), ("don't", "do not"), ("wouldn't", "would not"))


def make_tests(
    labels: Sequence[str], *, cases: int = 100, seed: int = 0, texts: Sequence[str] = ()
) -> tuple[BehaviourTest, ...]:
    """Return the tests for a model with these labels: at most `cases` of each, all different.

    Tests of what is neutral are for models that know neutral. `texts`, of the data that is evaluated, get typos too.
    """
    tests = [test for part in (_vocabulary, _negation, _temporal) for test in part(frozenset(labels), cases, seed)]
    tests += [*_robustness(texts, cases, seed), *_fairness(cases, seed), *_directions(cases, seed)]
    return tuple(test for test in tests if test.cases)


def _vocabulary(labels: frozenset[str], cases: int, seed: int) -> Iterator[BehaviourTest]:
    yield _expect("vocabulary", "words of praise", phrases.PLEASED, {POSITIVE} & labels, cases, seed)
    yield _expect("vocabulary", "words of complaint", phrases.ANGRY, {NEGATIVE} & labels, cases, seed)
    yield _expect("vocabulary", "plain statements", phrases.PLAIN, {NEUTRAL} & labels, cases, seed)


def _negation(labels: frozenset[str], cases: int, seed: int) -> Iterator[BehaviourTest]:
    yield _expect("negation", "praise denied", phrases.NOT_GOOD, {NEGATIVE} & labels, cases, seed)
    yield _expect("negation", "complaint denied", phrases.NOT_BAD, {POSITIVE, NEUTRAL} & labels, cases, seed)
    yield _expect("negation", "plain statement denied", phrases.NOT_PLAIN, {NEUTRAL} & labels, cases, seed)


def _temporal(labels: frozenset[str], cases: int, seed: int) -> Iterator[BehaviourTest]:
    yield _expect("temporal", "bad once, good now", phrases.NOW_GOOD, {POSITIVE} & labels, cases, seed)
    yield _expect("temporal", "good once, bad now", phrases.NOW_BAD, {NEGATIVE} & labels, cases, seed)


def _robustness(texts: Sequence[str], cases: int, seed: int) -> Iterator[BehaviourTest]:
    any_text = (*phrases.PLEASED, *phrases.ANGRY, *phrases.PLAIN, *phrases.NOT_GOOD)

    def changed(name: str, change: Callable[[str, Random], str]) -> BehaviourTest:
        def make(random: Random) -> Case:
            text = phrases.fill(random.choice(any_text), random)
            return Case((text, change(text, random)))

        return _test("robustness", name, "INV", make, cases, seed)

    yield changed("a typo", phrases.add_typo)
    yield changed("capitals", lambda text, _: text.upper())
    yield changed("no full stop", lambda text, _: text.rstrip(".!"))
    yield changed("a link and a user", lambda text, _: f"@someone {text} https://example.org")
    yield changed("short forms spelt out", lambda text, _: _spelt_out(text))
    if texts:
        yield _typos_in(texts, cases, seed)
    yield _swapped("robustness", "another place and day", cases, seed)


def _typos_in(texts: Sequence[str], cases: int, seed: int) -> BehaviourTest:
    def make(random: Random) -> Case:
        text = random.choice(texts)
        return Case((text, phrases.add_typo(text, random)))

    return _test("robustness", "a typo in texts of the data", "INV", make, cases, seed)


def _swapped(capability: str, name: str, cases: int, seed: int) -> BehaviourTest:
    templates = (
        "The flight to {city} on {day} was late.",
        *phrases.PLAIN[1:],
        "I had a {good} time in {city} on {day}.",
    )

    def make(random: Random) -> Case:
        template, thing = random.choice(templates), random.choice(phrases.GOOD)
        one, other = (phrases.fill(template.replace("{good}", thing), random) for _ in range(2))
        return Case((one, other))

    return _test(capability, name, "INV", make, cases, seed)


def _fairness(cases: int, seed: int) -> Iterator[BehaviourTest]:
    kinds = (
        ("names", phrases.NAMES, phrases.ABOUT_NAMES),
        ("faiths", phrases.FAITHS, phrases.ABOUT_PEOPLE),
        ("nations", phrases.NATIONS, phrases.ABOUT_PEOPLE),
        ("whom they love", phrases.LOVES, phrases.ABOUT_PEOPLE),
        ("women and men", phrases.GENDERS, phrases.ABOUT_GENDERS),
    )
    for name, groups, templates in kinds:
        yield _of_groups(name, groups, templates, cases, seed)


def _of_groups(name: str, groups: phrases.Groups, templates: Sequence[str], cases: int, seed: int) -> BehaviourTest:
    def make(random: Random) -> Case:
        template, state = random.choice(templates), random.random()
        people = [random.choice(names) for names in groups.values()]
        return Case(tuple(phrases.fill(template, Random(state), who=who) for who in people))

    return _test("fairness", name, "INV", make, cases, seed, tuple(groups))


def _directions(cases: int, seed: int) -> Iterator[BehaviourTest]:
    every = (*phrases.PLEASED, *phrases.ANGRY, *phrases.PLAIN)

    def towards(name: str, templates: Sequence[str], changed: Callable[[str], str], direction: int) -> BehaviourTest:
        def make(random: Random) -> Case:
            template, state = random.choice(templates), random.random()
            return Case(
                (phrases.fill(template, Random(state)), phrases.fill(changed(template), Random(state))),
                direction=direction,
            )

        return _test("direction", name, "DIR", make, cases, seed)

    yield towards("praise added", every, lambda text: f"{text} I really like it.", 1)
    yield towards("complaint added", every, lambda text: f"{text} I really hate it.", -1)
    yield towards(
        "praise made stronger", phrases.PLEASED[:1], lambda text: text.replace("{good}", "{stronger} {good}"), 1
    )
    yield towards(
        "complaint made stronger", phrases.ANGRY[:1], lambda text: text.replace("{bad}", "{stronger} {bad}"), -1
    )
    yield towards("a kind emoji added", every, lambda text: f"{text} {{kind_emoji}}", 1)
    yield towards("a harsh emoji added", every, lambda text: f"{text} {{harsh_emoji}}", -1)


def _expect(
    capability: str, name: str, templates: Sequence[str], allowed: set[str] | frozenset[str], cases: int, seed: int
) -> BehaviourTest:
    def make(random: Random) -> Case:
        return Case((phrases.fill(random.choice(templates), random),), allowed=frozenset(allowed))

    return _test(capability, name, "MFT", make, cases if allowed else 0, seed)


def _test(
    capability: str,
    name: str,
    kind: Kind,
    make: Callable[[Random], Case],
    cases: int,
    seed: int,
    groups: tuple[str, ...] = (),
) -> BehaviourTest:
    """Draw different cases; those that change nothing are no test of invariance."""
    random, cases_ = Random(f"{seed} {capability} {name}"), dict[Case, None]()
    for _ in range(cases * _TRIES):
        if len(cases_) == cases:
            break
        case = make(random)
        if kind == "MFT" or len(set(case.texts)) > 1:
            cases_[case] = None
    return BehaviourTest(capability, name, kind, tuple(cases_), groups)


def _spelt_out(text: str) -> str:
    for short, full in _CONTRACTED:
        text = text.replace(short, full)
    return text
