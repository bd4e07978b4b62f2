"""The words of texts in every script, the keys that are made of them, and what a cleaned text is stored as."""

from __future__ import annotations

import unicodedata

import pytest

from deployments.preprocessor import MAX_TOPICS, clean
from sentiment.errors import ModelRejected
from sentiment.records import RawText
from sentiment.text import CURRENT_NORMALIZER, NORMALIZERS, bare_words, distinct_key, keyed_digest, near_duplicate_key

SECRET = b"k" * 32
NORMALIZE = NORMALIZERS[CURRENT_NORMALIZER]
#: Two sentences of each script that differ in vowel signs alone.
PAIRS = {
    "Hindi": ("यह किताब कल आई", "यह किताबे काल आई"),
    "Bengali": ("আমি ভালো আছি", "আমি ভাল আছে"),
    "Tamil": ("படம் நல்ல", "படம் நல்லா"),
    "Thai": ("ดี มาก", "ดู มาก"),
    "Arabic": ("عَلَم", "عِلْم"),
    "Hebrew": ("סֵפֶר", "סָפָר"),
    "Burmese": ("ကောင်း", "ကိုင်း"),
}


def test_retweets_and_copies_share_a_near_duplicate_key():
    keys = {
        near_duplicate_key(NORMALIZE(text))
        for text in (
            "Great news! https://a.b",
            "RT @bob: great news https://c.d",
            "great NEWS...",
            "great\u200b news 😀",
        )
    }
    assert len(keys) == 1
    assert near_duplicate_key("other news") not in keys
    assert near_duplicate_key("😡") != near_duplicate_key("😀")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Great news! http", "978ccc2517988bc0806ec02ce5ad7fe1"),
        ("@user I can't believe it's NOT butter, café 2015-10-12 :(", "9e8d76fed8eaf85af85ccfee60656816"),
        ("RT @user: So good, so cheap & 100% mine... [phone] #win", "e4183e4e6660559e645a0313d4b99b16"),
    ],
)
def test_keys_of_english_texts_are_those_of_earlier_versions(text, key):
    assert near_duplicate_key(text) == key


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_vowel_signs_tell_two_texts_apart(pair):
    first, second = map(NORMALIZE, pair)
    assert near_duplicate_key(first) != near_duplicate_key(second)
    assert len(bare_words(first).split()) == len(first.split())


def test_a_joiner_inside_a_word_makes_no_other_word_of_it():
    assert near_duplicate_key("می\u200cخواهم") == near_duplicate_key("میخواهم")


@pytest.mark.parametrize(
    ("one", "other"),
    [("so good 😀", "so good 😡"), ("well :)", "well :("), ("wow", "wow ❤️"), ("ok 👍🏽", "ok 👍")],
)
def test_other_pictures_make_another_text_but_fall_in_the_same_part(one, other):
    assert distinct_key(one) != distinct_key(other)
    assert near_duplicate_key(one) == near_duplicate_key(other)


def test_texts_with_the_same_words_and_pictures_are_one():
    assert distinct_key("So good! ☺️ http") == distinct_key("so good ☺ @user")
    assert distinct_key("😀") == distinct_key("😀") != distinct_key("😀😀")


def test_every_combining_mark_is_a_part_of_a_word_but_those_of_emoji():
    of_emoji = {"\u034f", *map(chr, (*range(0xFE00, 0xFE10), *range(0x180B, 0x1810), 0x17B4, 0x17B5))}
    marks = [chr(code) for code in range(0x300, 0x1F000) if unicodedata.category(chr(code)) in ("Mn", "Mc")]
    torn = [mark for mark in marks if mark not in of_emoji and bare_words(f"a{mark}b").split() == ["a", "b"]]
    assert torn == []
    punctuation = [chr(code) for code in range(0x80, 0x1F000) if unicodedata.category(chr(code))[0] in "PSZ"]
    glued = [sign for sign in punctuation if len(bare_words(f"a{sign}b").split()) == 1 and not sign.isalnum()]
    assert set(glued) <= set("\u203f\u2040\u2054\ufe33\ufe34\ufe4d\ufe4e\ufe4f\uff3f")  # underscores


def test_keyed_digests_tell_texts_apart_and_depend_on_the_secret():
    assert keyed_digest(SECRET, "a") == keyed_digest(SECRET, "a") != keyed_digest(SECRET, "b")
    assert keyed_digest(SECRET, "a") != keyed_digest(b"o" * 32, "a")


def test_nothing_of_an_author_is_kept_but_a_keyed_hash():
    cleaned = clean(RawText("hi @bob", author="bob"), CURRENT_NORMALIZER, SECRET)
    assert "bob" not in repr(cleaned)
    assert cleaned.author_key == keyed_digest(SECRET, "bob")


def test_hashtags_become_topics_beside_the_given_ones():
    raw = RawText("love #Food and #food " + " ".join(f"#t{number:02}" for number in range(30)), topics=("News",))
    topics = clean(raw, CURRENT_NORMALIZER, SECRET).topics
    assert topics[:3] == ("news", "food", "t00")
    assert len(topics) == MAX_TOPICS


@pytest.mark.parametrize(
    ("text", "topics"),
    [
        ("#हिन्दी अच्छी है", ("हिन्दी",)),
        ("#தமிழ் #ভালো", ("தமிழ்", "ভালো")),
        ("＃日本語 #สวัสดี", ("日本語", "สวัสดี")),
        ("#می\u200cخواهم", ("می\u200cخواهم",)),
        ("#so\u200bgood #a #10 a#b", ("sogood", "10")),
    ],
)
def test_hashtags_of_every_script_are_topics(text, topics):
    assert clean(RawText(text), CURRENT_NORMALIZER, SECRET).topics == topics


def test_a_version_is_asked_by_its_own_normaliser_and_the_current_one_is_stored():
    cleaned = clean(RawText("n\u200bot good, call 01.23.45.67.89 #so\u200bgood"), "1", SECRET)
    assert cleaned.text == "n ot good, call 01.23.45.67.89 #so good"
    assert cleaned.stored_text == "not good, call [phone] #sogood"
    assert cleaned.near_key == near_duplicate_key(cleaned.stored_text)
    assert cleaned.topics == ("sogood",)


def test_raw_texts_are_kept_only_when_asked_for():
    raw = RawText("hi @bob \x00")
    for version in NORMALIZERS:
        assert clean(raw, version, SECRET).stored_text == "hi @user"
        assert clean(raw, version, SECRET, keep_raw=True).stored_text == "hi @bob \ufffd"


def test_an_unknown_normaliser_is_refused_by_name():
    with pytest.raises(ModelRejected, match="'99'"):
        clean(RawText("x"), "99", SECRET)
