"""Which micro-batches are cleaned where they are gathered, and which go to the Preprocessor."""

from __future__ import annotations

import pytest

from deployments.preprocessor import cleaner_of
from sentiment.errors import ModelRejected
from sentiment.records import CleanText, RawText
from sentiment.settings import Settings
from sentiment.text import CURRENT_NORMALIZER
from serve_app.gateway.prediction.preprocessing import Preprocessing
from tests.unit.gateway.fake_parts import SECRET, FakeParts, clean, service_of


class Preprocessor:
    """Cleans, and notes how many texts each call has."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    async def __call__(self, texts: list[RawText], normalizer: str) -> list[CleanText]:
        self.calls.append(len(texts))
        return [clean(raw, normalizer, SECRET) for raw in texts]


@pytest.fixture
def there() -> Preprocessor:
    return Preprocessor()


@pytest.fixture
def cleaning(there: Preprocessor) -> Preprocessing:
    return Preprocessing(there, lambda raw, normalizer: clean(raw, normalizer, SECRET))


async def test_a_few_short_texts_are_cleaned_without_a_call(cleaning: Preprocessing, there: Preprocessor) -> None:
    texts = [RawText(f"So good, @anna{number}! #sun", author="bob") for number in range(30)]
    cleaned = await cleaning(texts, CURRENT_NORMALIZER)
    assert not there.calls
    assert cleaned == await there(texts, CURRENT_NORMALIZER)
    assert {text.text for text in cleaned} == {"So good, @user! #sun"}
    assert await cleaning([], CURRENT_NORMALIZER) == []


@pytest.mark.parametrize(
    ("texts", "goes"),
    [
        ([RawText("a" * 1024)], False),
        ([RawText("a" * 1025)], True),
        ([RawText("a")], False),
        ([RawText("a", author="b" * 1024)], True),
        ([RawText("a", topics=("t" * 600, "u" * 600))], True),
        ([RawText("a" * 110)] * 40, False),
        ([RawText("a" * 110)] * 41, True),
        ([RawText("a")] * 200, True),
    ],
)
async def test_what_takes_long_goes_to_the_preprocessor(
    cleaning: Preprocessing, there: Preprocessor, texts: list[RawText], goes: bool
) -> None:
    cleaned = await cleaning(texts, CURRENT_NORMALIZER)
    assert [each.text for each in cleaned] == [raw.text for raw in texts]
    assert there.calls == ([len(texts)] if goes else [])


async def test_a_normaliser_that_is_unknown_here_is_named(cleaning: Preprocessing) -> None:
    with pytest.raises(ModelRejected, match="no normaliser '99'"):
        await cleaning([RawText("hi")], "99")


async def test_predictions_need_no_preprocessor_and_the_probe_of_readiness_does() -> None:
    parts = FakeParts()
    service = service_of(parts, clean_here=lambda raw, normalizer: clean(raw, normalizer, SECRET))
    [answer] = await service.predict([RawText("I love it, @bob")])
    assert (answer.label, parts.cleaned) == ("positive", [])
    assert parts.store.get(answer.id).text == "I love it, @user"
    await service.probe("I love it")
    assert parts.cleaned == [1]


def test_the_settings_decide_whether_raw_texts_are_kept(tmp_path) -> None:
    raw = RawText("hi @bob")
    kept = [
        cleaner_of(Settings(home=tmp_path, store_raw_text=wish))(raw, CURRENT_NORMALIZER).stored_text
        for wish in (False, True)
    ]
    assert kept == ["hi @user", "hi @bob"]
