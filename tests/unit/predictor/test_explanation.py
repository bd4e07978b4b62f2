"""Which words moved an answer: left out in turn, in one call."""

from __future__ import annotations

import pytest

from sentiment.errors import InvalidInput
from sentiment.labels import THREE_CLASSES
from sentiment.predictor.explanation import MAX_WORDS, explain
from sentiment.records import Answers


class CountingClassifier:
    """Positive is 0.1 for each "good" in a text, at most nine; negative stays 0.05. Fails on "kaboom" alone."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def __call__(self, texts: list[str]) -> Answers:
        self.calls.append(texts)
        errors = {index: "no" for index, text in enumerate(texts) if text == "kaboom"}
        return Answers(
            model="sentiment",
            version=3,
            labels=THREE_CLASSES,
            probabilities=[None if index in errors else self._one(text) for index, text in enumerate(texts)],
            truncated=[len(text.split()) > 100 for text in texts],
            errors=errors,
            tokens=0,
            padded_tokens=0,
            inference_ms=0.0,
            languages=["en" if "fremd" not in text else "de" for text in texts],
            supported=["fremd" not in text for text in texts],
        )

    @staticmethod
    def _one(text: str) -> tuple[float, ...]:
        positive = 0.1 * min(text.split().count("good"), 9)
        return (0.05, 0.95 - positive, positive)


def test_a_word_weighs_what_the_sentiment_falls_without_it_and_one_call_asks_for_all() -> None:
    classifier = CountingClassifier()
    found = explain("good  and\tgood", classifier)
    assert found.words == ["good", "and", "good"]
    assert found.weights == pytest.approx([0.1, 0.0, 0.1])
    assert found.sentiment == pytest.approx(0.15)
    assert found.label == "neutral"
    assert found.probabilities == pytest.approx({"negative": 0.05, "neutral": 0.75, "positive": 0.2})
    assert (found.model, found.version, found.truncated) == ("sentiment", 3, False)
    assert len(classifier.calls) == 1


def test_of_a_long_text_the_first_words_are_explained_and_the_answer_is_the_whole_texts() -> None:
    classifier = CountingClassifier()
    found = explain(" ".join(["good"] + ["so"] * (MAX_WORDS - 1) + ["good"] * 8), classifier)
    assert found.words == ["good"] + ["so"] * (MAX_WORDS - 1)
    assert found.weights[:2] == pytest.approx([0.1, 0.0])
    assert found.label == "positive"
    assert found.truncated
    assert len(classifier.calls[0]) == MAX_WORDS + 2


def test_an_explanation_of_cut_windows_says_so() -> None:
    classifier = CountingClassifier()
    assert explain(" ".join(["good"] * 101), classifier).truncated
    assert not explain(" ".join(["good"] * MAX_WORDS), classifier).truncated


@pytest.mark.parametrize("text", ["", "  \n "])
def test_a_text_without_words_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="no words") as raised:
        explain(text, CountingClassifier())
    assert raised.value.field == "text"


@pytest.mark.parametrize("text", ["kaboom", "good kaboom"])
def test_a_text_that_the_model_fails_on_whole_or_in_part_is_the_callers_error(text: str) -> None:
    with pytest.raises(InvalidInput, match="the model cannot read this text: no"):
        explain(text, CountingClassifier())


def test_no_word_moves_the_answer_to_a_text_that_is_not_supported() -> None:
    found = explain("good fremd good", CountingClassifier())
    assert found.weights == [0.0, 0.0, 0.0]
    assert (found.label, found.sentiment, found.supported, found.language) == ("neutral", 0.0, False, "de")
    assert found.probabilities == {"negative": 0.3, "neutral": 0.4, "positive": 0.3}


def test_words_of_a_supported_text_weigh_what_the_model_says_even_where_what_is_left_is_not_supported() -> None:
    found = explain("good day", CountingClassifier())
    assert found.weights == pytest.approx([0.1, 0.0])
    assert (found.supported, found.language) == (True, "en")
