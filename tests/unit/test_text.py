from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.preprocessor import MAX_TOPICS, clean
from sentiment.errors import ModelRejected
from sentiment.records import RawText
from sentiment.text import keyed_digest, near_duplicate_key, normalize_v1

SECRET = b"k" * 32


@pytest.mark.parametrize(
    ("raw", "normalized"),
    [
        ("@bob I &amp;lt;3 cafe\u0301 :( ", "@user I <3 café :("),
        ("see https://x.y/z?a=1 and www.foo.com!", "see http and http"),
        ("mail a.b+c@d.example or @me@social.example", "mail [email] or @user"),
        ("call +49 170 1234567 or 555-123-4567", "call [phone] or [phone]"),
        ("on 2015-10-12 12:30, 12/10/2015, for $1000000000", "on 2015-10-12 12:30, 12/10/2015, for $1000000000"),
        ("a\x00b\x1fc\u200bd\ufeffe", "a b c d e"),
        ("lone \ud800 surrogate", "lone \ufffd surrogate"),
        ("good<br /><br>bad", "good bad"),
        ("LOUD 😡 é :( :)", "LOUD 😡 é :( :)"),
        ("\t \n", ""),
    ],
)
def test_people_and_links_are_masked_and_feeling_is_kept(raw, normalized):
    assert normalize_v1(raw) == normalized


ANYTHING = st.text(st.characters(exclude_categories=()), max_size=200)
NEARLY_ENTITIES = st.text("&amp;#38lt; @a.b:/w0123456789-", max_size=80)


@given(ANYTHING | NEARLY_ENTITIES)
def test_normalising_twice_changes_nothing_more_and_never_fails(text):
    once = normalize_v1(text)
    assert normalize_v1(once) == once
    once.encode()


def test_entities_within_entities_cost_linear_time():
    bomb = "&x" * 10_000 + "&" + "amp;" * 10_000
    started = time.process_time()
    once = normalize_v1(bomb)
    assert time.process_time() - started < 2
    assert normalize_v1(once) == once


def test_retweets_and_copies_share_a_near_duplicate_key():
    keys = {
        near_duplicate_key(normalize_v1(text))
        for text in ("Great news! https://a.b", "RT @bob: great news https://c.d", "great NEWS...")
    }
    assert len(keys) == 1
    assert near_duplicate_key("other news") not in keys
    assert near_duplicate_key("😡") != near_duplicate_key("😀")


def test_keyed_digests_tell_texts_apart_and_depend_on_the_secret():
    assert keyed_digest(SECRET, "a") == keyed_digest(SECRET, "a") != keyed_digest(SECRET, "b")
    assert keyed_digest(SECRET, "a") != keyed_digest(b"o" * 32, "a")


def test_nothing_of_an_author_is_kept_but_a_keyed_hash():
    cleaned = clean(RawText("hi @bob", author="bob"), "1", SECRET)
    assert "bob" not in repr(cleaned)
    assert cleaned.author_key == keyed_digest(SECRET, "bob")


def test_hashtags_become_topics_beside_the_given_ones():
    raw = RawText("love #Food and #food " + " ".join(f"#t{number:02}" for number in range(30)), topics=("News",))
    topics = clean(raw, "1", SECRET).topics
    assert topics[:3] == ("news", "food", "t00")
    assert len(topics) == MAX_TOPICS


def test_raw_texts_are_kept_only_when_asked_for():
    raw = RawText("hi @bob \x00")
    assert clean(raw, "1", SECRET).stored_text == "hi @user"
    assert clean(raw, "1", SECRET, keep_raw=True).stored_text == "hi @bob \ufffd"


def test_an_unknown_normaliser_is_refused_by_name():
    with pytest.raises(ModelRejected, match="'99'"):
        clean(RawText("x"), "99", SECRET)
