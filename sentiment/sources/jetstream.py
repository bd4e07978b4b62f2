"""Frames of Bluesky's Jetstream as records, of its protocols 1 (`/subscribe`) and 2 (`subscribeEvents`).

Source: lexicons/network/bsky/jetstream/subscribeEvents.json and the README of github.com/bluesky-social/jetstream.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sentiment.sources.columns import named_id, topics_of
from sentiment.sources.record import Position, Rejected, SourceDeletion, SourceText
from sentiment.sources.times import TimeReader, UnreadableTime, plausible_ms
from sentiment.text import has_visible_text

POSTS: Final = "app.bsky.feed.post"
_TYPE: Final = "network.bsky.jetstream.subscribeEvents#"
_TAG: Final = "app.bsky.richtext.facet#tag"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN_CHARACTERS: Final = 500
_TIMES: Final = TimeReader()


class BrokenStream(Exception):
    """The server has ended the stream, or it is no Jetstream; the message says why."""


@dataclass(frozen=True, slots=True)
class PostEvent:
    """What happened to a post. `position` goes on with this very event, which comes once more then."""

    position: Position
    operation: str
    author: str
    key: str
    post: Mapping[str, Any]
    seen_us: int


@dataclass(frozen=True, slots=True)
class Notice:
    """What the server says of the stream itself: that some of it was missed, or that a frame could not be read."""

    name: str
    message: str
    is_broken_frame: bool = False


def event_of(frame: str | bytes, version: int) -> PostEvent | Notice | None:
    """Return what a frame says; None for what is no event of a post. Raises BrokenStream."""
    try:
        content = json.loads(frame)
        return _event_2(content) if version == 2 else _event_1(content)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        shown = frame if isinstance(frame, str) else frame.decode("utf-8", "replace")
        return Notice(f"is not an event ({type(exc).__name__}: {exc})", shown[:_SHOWN_CHARACTERS], is_broken_frame=True)


def _event_1(content: Mapping[str, Any]) -> PostEvent | None:
    if content["kind"] != "commit" or content["commit"]["collection"] != POSTS:
        return None
    commit, time_us = content["commit"], int(content["time_us"])
    post = _post_of(commit)
    return PostEvent({"time_us": time_us}, commit["operation"], content["did"], commit["rkey"], post, time_us)


def _event_2(content: Mapping[str, Any]) -> PostEvent | Notice | None:
    if content.get("$type") == "error":
        raise BrokenStream(f"{content.get('error')}: {content.get('message', '')}")
    if "$type" not in content:
        raise BrokenStream("its frames are those of protocol 1: give an address that ends in /subscribe")
    if content["$type"] != "message":  # of a later protocol
        return None
    payload = content["payload"]
    kind = str(payload["$type"]).removeprefix(_TYPE)
    if kind == "info":
        return Notice(str(payload["name"]), str(payload.get("message", "")))
    if kind != "commit" or payload["collection"] != POSTS:
        return None
    seen_us = _microseconds(payload.get("witnessedAt") or payload["time"])
    position = {"seq": int(payload["seq"]), "time_us": seen_us}
    return PostEvent(position, payload["operation"], payload["did"], payload["rkey"], _post_of(payload), seen_us)


def _post_of(commit: Mapping[str, Any]) -> Mapping[str, Any]:
    if commit["operation"] == "delete":
        return {}
    post: Mapping[str, Any] = commit["record"]
    post.keys()  # a list has none
    return post


def _microseconds(text: str) -> int:
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)


def record_of(
    event: PostEvent, name: str, languages: frozenset[str], now_ms: int
) -> SourceText | SourceDeletion | Rejected | None:
    """Return an event as a record of the source `name`; None for a post in none of `languages`, if there are any."""
    id_ = named_id(name, f"{event.author}:{event.key}")
    if event.operation == "delete":
        return SourceDeletion(id_)
    post = event.post
    if languages and not languages & _languages_of(post):
        return None
    text = post.get("text")
    if not isinstance(text, str) or not has_visible_text(text):
        return Rejected("has no text", {"author": event.author, "key": event.key})
    written_ms, seen_ms = _written_ms(post, now_ms), event.seen_us // 1000
    return SourceText(
        id_,
        text,
        written_ms if written_ms is not None else plausible_ms(seen_ms, now_ms),
        event.author,
        topics_of(_tags_of(post)),
        is_corrected=written_ms is None,
        is_revision=event.operation == "update",
    )


def _written_ms(post: Mapping[str, Any], now_ms: int) -> int | None:
    """Return when a post says that it was written; None for what cannot be, since writers may say anything."""
    try:
        return plausible_ms(_TIMES.read_ms(post.get("createdAt")), now_ms)
    except UnreadableTime:
        return None


def _languages_of(post: Mapping[str, Any]) -> set[str]:
    codes = post.get("langs")
    return {str(each).partition("-")[0].casefold() for each in codes} if isinstance(codes, list) else set()


def _tags_of(post: Mapping[str, Any]) -> list[Any]:
    """Return the hashtags of a post: those in its text, and those beside it."""
    facets = [each for each in _list(post.get("facets")) if isinstance(each, dict)]
    features = [feature for each in facets for feature in _list(each.get("features")) if isinstance(feature, dict)]
    within = [feature.get("tag") for feature in features if feature.get("$type") == _TAG]
    return [tag for tag in (*within, *_list(post.get("tags"))) if isinstance(tag, str)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
