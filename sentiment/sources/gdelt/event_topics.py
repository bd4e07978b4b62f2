"""What happened in an article, by the events that GDELT has found in it: protest, fight, aid and such."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

from sentiment.sources.gdelt.columns import BrokenRow, RowFormat
from sentiment.sources.gdelt.events import EVENTS, MENTIONS

EVENT_TABLE: Final = "export.CSV"
MENTION_TABLE: Final = "mentions.CSV"
#: Of these one article may have.
MOST_EVENT_KINDS: Final = 3
_URL: Final = 1
_Row = TypeVar("_Row")


def event_kinds(events: Iterable[bytes], mentions: Iterable[bytes]) -> Mapping[str, Sequence[str]]:
    """Return the kinds of events by the URLs of the articles that mention them, those of which GDELT is surest first.

    Events of other quarter-hours are not in these tables, and broken rows say nothing.
    """
    kinds = {event.event_id: event.event_kind for event in _rows(EVENTS, events)}
    by_url: dict[str, dict[str, int]] = {}
    for mention in _rows(MENTIONS, mentions):
        kind = kinds.get(mention.event_id)
        if kind is not None and mention.kind == _URL:
            surest = by_url.setdefault(mention.identifier, {})
            surest[kind] = max(surest.get(kind, 0), mention.confidence or 0)
    return {url: sorted(surest, key=lambda kind: -surest[kind])[:MOST_EVENT_KINDS] for url, surest in by_url.items()}


def _rows(table: RowFormat[_Row], lines: Iterable[bytes]) -> Iterator[_Row]:
    for line in lines:
        try:
            yield table.read(line.decode("utf-8", "replace"))
        except BrokenRow:
            continue
