"""Which words moved an answer: each is left out in turn, and the change of the sentiment is its weight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sentiment.errors import InvalidInput
from sentiment.labels import prior_of, sentiment_of
from sentiment.records import Answers, Explanation

MAX_WORDS: Final = 64

Classify = Callable[[list[str]], Answers]


def explain(text: str, classify: Classify) -> Explanation:
    """Explain the answer to `text` by occlusion, words split at white space, in one call of `classify`.

    Label, probabilities and sentiment are those of the whole text. Of one with more than 64 words the first 64 are
    explained, as a text of their own, and `truncated` is true. Of a text that the version cannot read no word moves
    anything. `classify` says what the model says, of such texts too.

    Raises:
        InvalidInput: the text has no words, or the model fails on it.
    """
    words = text.split()
    if not words:
        raise InvalidInput("has no words to explain", "text")
    explained = words[:MAX_WORDS]
    answers = classify([text, " ".join(explained), *_variants(explained)])
    whole, excerpt, *without = [_known(answers, index) for index in range(len(explained) + 2)]
    if not answers.supported[0]:
        whole, without = prior_of(answers.labels), [excerpt] * len(explained)
    base = sentiment_of(excerpt, answers.labels)
    return Explanation(
        words=explained,
        weights=[base - sentiment_of(probabilities, answers.labels) for probabilities in without],
        label=answers.labels[whole.index(max(whole))],
        sentiment=sentiment_of(whole, answers.labels),
        probabilities=dict(zip(answers.labels, whole, strict=True)),
        truncated=len(words) > MAX_WORDS or answers.truncated[0],
        model=answers.model,
        version=answers.version,
        language=answers.languages[0],
        supported=answers.supported[0],
    )


def _variants(words: list[str]) -> list[str]:
    return [" ".join(words[:place] + words[place + 1 :]) for place in range(len(words))]


def _known(answers: Answers, index: int) -> tuple[float, ...]:
    probabilities = answers.probabilities[index]
    if probabilities is None:
        raise InvalidInput(f"the model cannot read this text: {answers.errors.get(index, 'no answer')}", "text")
    return probabilities
