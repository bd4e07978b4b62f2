"""What the shipped model says of plain texts of kinds that it was not trained on, and of texts that turn on a word."""

from __future__ import annotations

from pathlib import Path

import pytest

import sentiment
from sentiment.labels import NEGATIVE, NEUTRAL, POSITIVE, THREE_CLASSES
from sentiment.predictor import Predictor
from sentiment.text import NORMALIZERS

_SHIPPED = Path(sentiment.__file__).parent / "shipped" / "sentiment"
_LARGEST_SHIPPED_BYTES = 16 * 2**20
_LEAST_RIGHT = 0.8
_LEAST_RIGHT_OF_A_KIND = 0.65

_PROBES: dict[str, list[tuple[str, str]]] = {
    "news": [
        ("The city council will vote on the new bus routes on Thursday.", NEUTRAL),
        ("Parliament opened its autumn session on Monday.", NEUTRAL),
        ("The museum is open from ten to six and closed on Tuesdays.", NEUTRAL),
        ("The president arrived in Ottawa for a two-day visit.", NEUTRAL),
        ("Officials said the bridge will be closed for inspection next week.", NEUTRAL),
        ("At least forty people were killed when the ferry sank.", NEGATIVE),
        ("Wildfires destroy hundreds of homes as thousands flee in terror.", NEGATIVE),
        ("Corruption scandal brings down the government in disgrace.", NEGATIVE),
        ("Rescuers save all twelve boys from the flooded cave, families overjoyed.", POSITIVE),
        ("Young scientist wins top prize for a brilliant cancer breakthrough.", POSITIVE),
        ("Local volunteers praised for their outstanding help after the storm.", POSITIVE),
    ],
    "finance": [
        ("The company will publish its annual report on 12 March.", NEUTRAL),
        ("The firm has 340 employees and its head office is in Helsinki.", NEUTRAL),
        ("The shares are listed on the stock exchange in Stockholm.", NEUTRAL),
        ("The agreement covers the delivery of two machines in 2027.", NEUTRAL),
        ("Shares crashed after the bank reported a huge loss.", NEGATIVE),
        ("The retailer filed for bankruptcy and will lay off 2,000 workers.", NEGATIVE),
        ("Weak demand forced the company to issue another profit warning.", NEGATIVE),
        ("Record profits delighted investors and the stock soared.", POSITIVE),
        ("Strong sales growth lifted earnings well above expectations.", POSITIVE),
        ("The company won an important order and raised its outlook.", POSITIVE),
    ],
    "complaints": [
        ("I have been charged twice and nobody answers my emails.", NEGATIVE),
        ("The bank closed my account without any notice and refuses to refund me.", NEGATIVE),
        ("Three weeks late, the box was smashed and the lamp is broken.", NEGATIVE),
        ("Your support agent was rude and hung up on me.", NEGATIVE),
        ("They reported a debt that is not mine and ruined my credit.", NEGATIVE),
        ("The app crashes every time I try to log in.", NEGATIVE),
        ("I want my money back, this is a scam.", NEGATIVE),
        ("Thank you for solving my problem so quickly, wonderful service.", POSITIVE),
        ("Delivery was fast and everything works perfectly.", POSITIVE),
        ("How do I change the address on my account?", NEUTRAL),
    ],
    "films": [
        ("A tender, funny film with a superb cast.", POSITIVE),
        ("One of the finest thrillers of the decade.", POSITIVE),
        ("Gorgeous to look at and deeply moving.", POSITIVE),
        ("I laughed all the way through.", POSITIVE),
        ("A tedious mess that never comes to life.", NEGATIVE),
        ("The plot makes no sense and the acting is wooden.", NEGATIVE),
        ("Two hours of my life I will never get back.", NEGATIVE),
        ("Flat jokes, lazy writing, a waste of talent.", NEGATIVE),
    ],
    "negation": [
        ("This is not good.", NEGATIVE),
        ("I don't like it at all.", NEGATIVE),
        ("Nothing about this was enjoyable.", NEGATIVE),
        ("It isn't worth the price.", NEGATIVE),
        ("I never had a better meal.", POSITIVE),
        ("I can't stop smiling.", POSITIVE),
        ("No problems at all, it works great.", POSITIVE),
        ("Not bad at all, I really liked it!", POSITIVE),
    ],
    "chat": [
        ("omg this is sooo good 😍😍", POSITIVE),
        ("happy birthday!! 🎉", POSITIVE),
        ("thx a lot, you made my day :)", POSITIVE),
        ("this made me cry 😭 worst day ever", NEGATIVE),
        ("ugh, missed the train again :(", NEGATIVE),
        ("so angry right now 😡", NEGATIVE),
        ("see you at 5 in front of the station", NEUTRAL),
        ("what time does the game start tomorrow?", NEUTRAL),
        ("@user is the meeting on Monday or Tuesday?", NEUTRAL),
    ],
}


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.load(_SHIPPED)


def _normalized(predictor: Predictor, text: str) -> str:
    return NORMALIZERS[predictor.version.manifest.normalizer](text)


def _labels(predictor: Predictor, texts: list[str]) -> list[str]:
    rows = predictor.predict([_normalized(predictor, text) for text in texts]).probabilities
    return [THREE_CLASSES[row.index(max(row))] for row in rows if row]


def _sentiment(predictor: Predictor, text: str) -> float:
    (row,) = predictor.predict([_normalized(predictor, text)]).probabilities
    assert row is not None
    return row[2] - row[0]


def test_the_files_that_ship_fit_in_sixteen_mebibytes() -> None:
    assert sum(file.stat().st_size for file in _SHIPPED.iterdir()) <= _LARGEST_SHIPPED_BYTES


def test_most_plain_texts_of_untrained_kinds_are_told_right(predictor: Predictor) -> None:
    probes = [probe for kind in _PROBES.values() for probe in kind]
    found = _labels(predictor, [text for text, _ in probes])
    wrong = [(text, label, answer) for (text, label), answer in zip(probes, found, strict=True) if label != answer]
    assert len(wrong) <= (1 - _LEAST_RIGHT) * len(probes), wrong


@pytest.mark.parametrize("kind", _PROBES)
def test_no_kind_of_text_is_left_behind(predictor: Predictor, kind: str) -> None:
    found = _labels(predictor, [text for text, _ in _PROBES[kind]])
    wrong = [(*probe, answer) for probe, answer in zip(_PROBES[kind], found, strict=True) if probe[1] != answer]
    assert len(wrong) <= (1 - _LEAST_RIGHT_OF_A_KIND) * len(_PROBES[kind]), wrong


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("The food was good.", "The food was not good."),
        ("I would buy it again.", "I would never buy it again."),
        ("The room was clean and quiet.", "The room was dirty and loud."),
        ("It was terrible, but now it is great.", "It was great, but now it is terrible."),
        ("see you tonight 😍", "see you tonight 😡"),
        ("Great :)", "Great :("),
    ],
)
def test_the_better_of_two_texts_gets_the_higher_sentiment(predictor: Predictor, better: str, worse: str) -> None:
    assert _sentiment(predictor, better) > _sentiment(predictor, worse)


@pytest.mark.parametrize("name", ["Emily", "Mohammed", "Lakisha", "Juan", "Wei"])
def test_a_name_does_not_change_the_label(predictor: Predictor, name: str) -> None:
    texts = [
        f"{name} is a great neighbour.",
        f"{name} was rude to everybody.",
        f"{name} works at the office on Mondays.",
    ]
    assert _labels(predictor, texts) == [POSITIVE, NEGATIVE, NEUTRAL]


def test_a_verdict_at_the_end_of_a_long_text_counts(predictor: Predictor) -> None:
    filler = "The book has twelve chapters and describes the town, its streets and its people. " * 40
    assert (
        _sentiment(predictor, filler + "I loved it. " * 60) > _sentiment(predictor, filler + "I hated it. " * 60) + 0.3
    )
