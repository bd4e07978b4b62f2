"""What the normalisers do: the current one to everything that is stored, the first to what its versions are asked."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentiment.text import CURRENT_NORMALIZER, NORMALIZERS, has_visible_text
from tests.hypothesis_profile import examples

NORMALIZE = NORMALIZERS[CURRENT_NORMALIZER]
EVERY = pytest.mark.parametrize("normalize", NORMALIZERS.values(), ids=NORMALIZERS)


@EVERY
@pytest.mark.parametrize(
    ("raw", "normalized"),
    [
        ("@bob I &amp;lt;3 cafe\u0301 :( ", "@user I <3 café :("),
        ("see https://x.y/z?a=1 and www.foo.com!", "see http and http"),
        ("mail a.b+c@d.example or @me@social.example", "mail [email] or @user"),
        ("call +49 170 1234567 or 555-123-4567", "call [phone] or [phone]"),
        ("mine is 612345678, not 61234567 #612345678", "mine is [phone], not 61234567 #612345678"),
        ("on 2015-10-12 12:30, 12/10/2015, for $1000000000", "on 2015-10-12 12:30, 12/10/2015, for $1000000000"),
        ("a\x00b\x1fc\u2028d", "a b c d"),
        ("lone \ud800 surrogate", "lone \ufffd surrogate"),
        ("good<br /><br>bad", "good bad"),
        ("LOUD 😡 é :( :)", "LOUD 😡 é :( :)"),
        ("\t \n", ""),
    ],
)
def test_people_and_links_are_masked_and_feeling_is_kept(normalize, raw, normalized):
    assert normalize(raw) == normalized


@pytest.mark.parametrize(
    ("raw", "normalized"),
    [
        ("n\u200bot good", "not good"),
        ("n\u2060ot g\ufeffood", "not good"),
        ("so\xadft and hy&shy;phen", "soft and hyphen"),
        ("n\u200eo\u202et \u2067good\u2069", "not good"),
        ("n\u200dot g\u200cood", "not good"),
        ("n\ufe0fot g\U000e0061ood", "not good"),
        ("good\u2800bad\u3164good", "good bad good"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("क\u094d\u200dष", "क\u094d\u200dष"),
        ("👨\u200d👩\u200d👧 ❤️\u200d🔥 👍🏽", "👨\u200d👩\u200d👧 ❤️\u200d🔥 👍🏽"),
        ("1\ufe0f\u20e3 ☺️", "1\ufe0f\u20e3 ☺️"),
        ("🏴\U000e0067\U000e0062\U000e007f", "🏴\U000e0067\U000e0062\U000e007f"),
        ("\ufeffgood", "good"),
        ("n\u115fot g\u1160ood", "not good"),
        ("n\U000e0100ot g\u180bood", "not good"),
        ("\u1100\u1160\u11ab", "\u1100\u1160\u11ab"),
        ("葛\U000e0100", "葛\U000e0100"),
    ],
)
def test_what_has_no_width_tears_no_word_and_stays_where_a_script_or_an_emoji_needs_it(raw, normalized):
    assert NORMALIZE(raw) == normalized


INVISIBLE = {
    "braille blank": "\u2800",
    "Hangul fillers": "\u3164\uffa0\u115f\u1160",
    "direction marks": "\u200e\u200f\u202a\u202c\u2066\u2069\u061c",
    "soft hyphen": "\xad",
    "variation selectors": "\ufe0f\ufe0e",
    "joiners": "\u200c\u200d",
    "zero-width space": "\u200b\u2060\ufeff",
    "tags": "\U000e0020\U000e007f",
    "selectors of ideographs": "\U000e0100",
    "spaces": " \t\xa0\u2003\u3000",
    "controls": "\x00\x1f\x85",
    "entities": "&nbsp;&#8203;&shy;&amp;nbsp;",
    "breaks": "<br/><BR >",
}


@EVERY
@pytest.mark.parametrize("text", INVISIBLE.values(), ids=INVISIBLE)
def test_a_text_without_a_visible_character_is_empty_for_every_normaliser(normalize, text):
    assert normalize(text) == ""
    assert "!" in normalize(f"{text}!{text}")


@pytest.mark.parametrize("text", ["a", ".", "😀", "\ufffd", "ก", "\u0301", "1", "\uf8ff"])
def test_whatever_anybody_sees_is_a_text(text):
    assert has_visible_text(f"\u200e {text}\u3164")


ANYTHING = st.text(st.characters(exclude_categories=()), max_size=200)
NEARLY_ENTITIES = st.text("&amp;#38lt; @a.b:/w0123456789-", max_size=80)
NEARLY_NUMBERS = st.text("01 23-./+()tel@x#", max_size=60)
_PIECES = (
    "&amp; &lt; &#38; & #64; @ ＠ bob . - _ / :// http https:// www. x.y bit.ly/a a@b.cd @user [phone] [email] 0170 "
    "123 4567 +49 (0) \u200b \u200d \ufe0f \u3164 \u2800 <br> <br /> > \x00 \n é e\u0301 अ ि 😀 🏴 \U000e0067 \u037e "
    "\ud800 tel ext.12 x12 call 1-800- FLOWERS 0 1 ( ) /u/abc_1 (at) (dot) ' ’ \" = ?q=1 :8080 pic.twitter.com/ % $ "
    "โทร 8(912) 345-67-89 #0170 sđt = 000 +1 — … ! ; | ” 。 [ ] ../ at dot com gmail u/ ’neil : 名 例え.jp t.co/a "
    "\u202a ٠ ５ \xad order no. DE89 3704 12.10.2015 2019-2020 \u0300 ー – ·"
)
PIECES = st.lists(
    st.sampled_from(_PIECES.split(" ")) | st.just(" "),
    max_size=14,
).map("".join)


@settings(max_examples=examples(400), deadline=None)
@given(ANYTHING | NEARLY_ENTITIES | NEARLY_NUMBERS | PIECES)
def test_normalising_twice_changes_nothing_more_and_never_fails(text):
    once = NORMALIZE(text)
    assert NORMALIZE(once) == once
    once.encode()


@given(ANYTHING | PIECES)
def test_no_normaliser_ever_fails(text):
    for normalize in NORMALIZERS.values():
        normalize(text).encode()


@EVERY
def test_entities_within_entities_cost_linear_time(normalize):
    bomb = "&x" * 10_000 + "&" + "amp;" * 10_000
    started = time.process_time()
    once = normalize(bomb)
    assert time.process_time() - started < 2
    assert normalize(once) == once


@pytest.mark.parametrize(
    "piece",
    ["1", "1.", "a.", "@", "a@", "@a.", "0 ", "(0", "+1(", "1-800-", "tel 1 ", "x.y/ ", '"a', "http://", "A-1 "],
)
def test_no_text_costs_much_more_than_its_length(piece):
    started = time.process_time()
    NORMALIZE(piece * (10_000 // len(piece)))
    assert time.process_time() - started < 1


@pytest.mark.parametrize("link", ["https://t.co/abc", "t.co/abc"])
def test_a_name_glued_behind_a_link_is_masked(link):
    assert NORMALIZE(f"{link}@brett_mc gone") == "http @user gone"
