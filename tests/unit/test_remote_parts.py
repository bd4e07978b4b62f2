"""Which texts the gateway cleans itself, and which it sends to the Preprocessor."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from ray.serve.handle import DeploymentHandle

from deployments.preprocessor import cleaner_of
from sentiment.errors import ModelRejected
from sentiment.records import CleanText, RawText
from sentiment.settings import Settings
from sentiment.text import CURRENT_NORMALIZER
from serve_app.remote import RemoteParts


class Preprocessor:
    """A deployment's handle that notes how many texts each call has, and cleans them."""

    def __init__(self, settings: Settings) -> None:
        self.calls: list[int] = []
        self.process = SimpleNamespace(remote=self._process)
        self._clean = cleaner_of(settings)

    async def _process(self, texts: list[RawText], normalizer: str) -> list[CleanText]:
        self.calls.append(len(texts))
        return [self._clean(raw, normalizer) for raw in texts]


@pytest.fixture
def settings(tmp_path: Any) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def preprocessor(settings: Settings) -> Preprocessor:
    return Preprocessor(settings)


@pytest.fixture
def parts(preprocessor: Preprocessor, settings: Settings) -> RemoteParts:
    handle, sink = cast("DeploymentHandle", preprocessor), cast("DeploymentHandle", None)
    return RemoteParts(handle, sink, clean=cleaner_of(settings), patience_s=1.0)


async def test_a_few_short_texts_are_cleaned_without_a_call(parts: RemoteParts, preprocessor: Preprocessor) -> None:
    texts = [RawText(f"So good, @anna{number}! #sun", author="bob") for number in range(30)]
    cleaned = await parts.clean(texts, CURRENT_NORMALIZER)
    assert not preprocessor.calls
    assert cleaned == await preprocessor.process.remote(texts, CURRENT_NORMALIZER)
    assert {text.text for text in cleaned} == {"So good, @user! #sun"}


@pytest.mark.parametrize("texts", [["a" * 5000], ["a" * 50] * 100])
async def test_long_texts_and_many_go_to_the_preprocessor(
    parts: RemoteParts, preprocessor: Preprocessor, texts: list[str]
) -> None:
    cleaned = await parts.clean([RawText(text) for text in texts], CURRENT_NORMALIZER)
    assert [clean.text for clean in cleaned] == texts
    assert preprocessor.calls == [len(texts)]


async def test_a_normaliser_that_is_unknown_here_is_named(parts: RemoteParts) -> None:
    with pytest.raises(ModelRejected, match="'99' is unknown"):
        await parts.clean([RawText("hi")], "99")
