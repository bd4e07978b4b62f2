from __future__ import annotations

import pytest

from serve_app.gateway.inference.answer_cache import AnswerCache, CachedAnswer, text_digest

ANSWER = CachedAnswer((0.1, 0.2, 0.7), False)


async def test_an_answer_is_kept_by_version_and_text():
    cache = AnswerCache(10)
    key = (1, text_digest("good"))
    cache.begin(key)
    cache.finish(key, ANSWER)
    assert cache.get(key) == ANSWER
    assert cache.get((2, text_digest("good"))) is None


async def test_those_who_join_get_the_answer_or_the_error():
    cache = AnswerCache(10)
    key, other = (1, b"a"), (1, b"b")
    cache.begin(key)
    joined = cache.join(key)
    cache.finish(key, ANSWER)
    assert await joined == ANSWER
    cache.begin(other)
    failed = cache.join(other)
    cache.fail(other, ValueError("bad"))
    with pytest.raises(ValueError, match="bad"):
        await failed
    assert cache.get(other) is None
    assert cache.join(other) is None


async def test_the_longest_unused_answer_leaves_first():
    cache = AnswerCache(2)
    for name in (b"a", b"b"):
        cache.begin((1, name))
        cache.finish((1, name), ANSWER)
    cache.get((1, b"a"))
    cache.begin((1, b"c"))
    cache.finish((1, b"c"), ANSWER)
    assert cache.get((1, b"b")) is None
    assert cache.get((1, b"a")) == ANSWER


async def test_a_forgotten_text_has_no_answer_of_any_version():
    cache = AnswerCache(10)
    for version in (1, 2):
        cache.begin((version, b"a"))
        cache.finish((version, b"a"), ANSWER)
    cache.forget(b"a")
    assert cache.get((1, b"a")) is None
    assert cache.get((2, b"a")) is None
