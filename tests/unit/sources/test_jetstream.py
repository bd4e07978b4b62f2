"""Frames of Jetstream, as its lexicon and its servers have them, and what becomes of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.sources import Rejected, SourceDeletion, SourceText
from sentiment.sources.jetstream import BrokenStream, Notice, PostEvent, event_of, record_of
from tests.fake_jetstream import AUTHOR, POST, commit_1, commit_2, info_2

NOW_MS = 1_790_000_000_000
SEEN_US = 1_789_128_000_123_456  # 2026-09-11T12:00:00.123456Z
_LEAVES = st.none() | st.booleans() | st.integers() | st.text()
JSON = st.recursive(_LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


def record(operation: str = "create", languages: frozenset[str] = frozenset(), **post: Any) -> Any:
    event = event_of(commit_2(10, "3abc", operation, {**POST, **post}), 2)
    assert isinstance(event, PostEvent)
    return record_of(event, "sky", languages, NOW_MS)


@pytest.mark.parametrize("frame", [commit_1(SEEN_US, "3abc"), commit_2(10, "3abc"), commit_2(10, "3abc").encode()])
def test_both_protocols_tell_the_same_of_a_post(frame):
    version = 1 if "time_us" in str(frame) else 2
    event = event_of(frame, version)
    assert (event.author, event.key, event.operation, event.seen_us) == (AUTHOR, "3abc", "create", SEEN_US)
    assert record_of(event, "sky", frozenset(), NOW_MS) == SourceText(
        f"sky:{AUTHOR}:3abc", "hello world", 1_789_128_000_000, AUTHOR
    )


def test_a_deletion_names_the_text_that_goes():
    assert record("delete") == SourceDeletion(f"sky:{AUTHOR}:3abc")


def test_an_edit_is_a_revision_of_the_same_text():
    edited = record("update", text="hello again")
    assert (edited.id, edited.text, edited.is_revision) == (f"sky:{AUTHOR}:3abc", "hello again", True)


@pytest.mark.parametrize("written", ["2032-01-01T00:00:00Z", "1969-07-20T20:17:40Z", "soon", 7, None, ["x"]])
def test_a_time_that_cannot_be_gives_way_to_the_one_at_which_the_post_was_seen(written):
    text = record(createdAt=written)
    if written == 7:  # seconds since 1970: a time, though a strange one
        assert (text.created_at_ms, text.is_corrected) == (7000, False)
    else:
        assert (text.created_at_ms, text.is_corrected) == (SEEN_US // 1000, True)


def test_hashtags_come_from_the_text_and_from_beside_it():
    tag = {"$type": "app.bsky.richtext.facet#tag", "tag": "Wombats"}
    link = {"$type": "app.bsky.richtext.facet#link", "uri": "https://a.example"}
    assert record(facets=[{"features": [link, tag]}], tags=["zoo", "Wombats"]).topics == ("Wombats", "zoo")
    assert record(facets="none", tags={"a": 1}).topics == ()


def test_posts_in_other_languages_are_left_out_where_some_are_wanted():
    assert record(languages=frozenset({"en"}), langs=["de", "en-GB"]) is not None
    assert record(languages=frozenset({"en"}), langs=["de"]) is None
    assert record(languages=frozenset({"en"}), langs=None) is None
    assert record(languages=frozenset(), langs=["de"]) is not None


@pytest.mark.parametrize("text", ["", "\u200b", None, 7])
def test_a_post_without_a_text_is_rejected(text):
    assert isinstance(record(text=text), Rejected)


def test_what_is_no_event_of_a_post_is_passed_over():
    likes = commit_2(10, "3abc").replace("app.bsky.feed.post", "app.bsky.feed.like")
    later = '{"$type":"something-new","payload":{}}'
    account = '{"did":"did:plc:a","time_us":1,"kind":"account","account":{"active":false}}'
    assert [event_of(likes, 2), event_of(later, 2), event_of(account, 1)] == [None, None, None]


def test_what_the_server_says_of_the_stream_is_a_notice():
    assert event_of(info_2("OutdatedCursor", "resumed from 7"), 2) == Notice("OutdatedCursor", "resumed from 7")


def test_an_error_frame_and_the_other_protocols_frames_end_the_stream():
    with pytest.raises(BrokenStream, match="ConsumerTooSlow: read faster"):
        event_of('{"$type":"error","error":"ConsumerTooSlow","message":"read faster"}', 2)
    with pytest.raises(BrokenStream, match="give an address that ends in /subscribe"):
        event_of(commit_1(SEEN_US, "3abc"), 2)


@pytest.mark.parametrize("version", [1, 2])
@given(content=JSON)
def test_whatever_a_frame_holds_it_is_an_event_a_notice_or_nothing(version, content):
    for frame in (json.dumps(content), json.dumps({"$type": "message", "payload": content}), str(content)):
        try:
            event = event_of(frame, version)
        except BrokenStream:
            continue
        assert event is None or isinstance(event, PostEvent | Notice)


def test_a_frame_that_cannot_be_read_is_shown_cut_off():
    notice = event_of("x" * 1000, 2)
    assert notice.is_broken_frame
    assert len(notice.message) == 500
