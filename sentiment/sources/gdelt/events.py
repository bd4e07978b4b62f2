"""Rows of GDELT 2.1's tables of events and of their mentions in articles.

Source: the codebooks of the GDELT Event Database, 2.0 format.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sentiment.sources.gdelt.columns import Moment, RowFormat

#: The kinds of events that CAMEO knows, by root code, in its own words shortened.
EVENT_KINDS: Final = {
    "01": "public statement",
    "02": "appeal",
    "03": "intent to cooperate",
    "04": "consultation",
    "05": "diplomatic cooperation",
    "06": "material cooperation",
    "07": "aid",
    "08": "yielding",
    "09": "investigation",
    "10": "demand",
    "11": "disapproval",
    "12": "rejection",
    "13": "threat",
    "14": "protest",
    "15": "military posture",
    "16": "reduced relations",
    "17": "coercion",
    "18": "assault",
    "19": "fight",
    "20": "mass violence",
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did something, or whom it was done to; all in CAMEO's codes but the name."""

    code: str
    name: str
    country_code: str
    known_group_code: str
    ethnic_code: str
    religion_1_code: str
    religion_2_code: str
    type_1_code: str
    type_2_code: str
    type_3_code: str


@dataclass(frozen=True, slots=True)
class EventPlace:
    """Where an actor or an event was; `kind` is 1 for a country, 2 and 5 for a state, 3 and 4 for a city."""

    kind: int | None
    full_name: str
    country_code: str
    region_code: str
    district_code: str
    latitude: float | None
    longitude: float | None
    feature_id: str


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event: 61 columns. `goldstein_scale` is -10 to 10, `average_tone` mostly -10 to 10."""

    event_id: int
    day: Moment
    year_month: int
    year: int
    year_fraction: float
    actor_1: Actor
    actor_2: Actor
    is_root_event: int
    event_code: str
    event_base_code: str
    event_root_code: str
    quad_class: int | None
    goldstein_scale: float | None
    mentions: int
    sources: int
    articles: int
    average_tone: float | None
    actor_1_place: EventPlace
    actor_2_place: EventPlace
    event_place: EventPlace
    added_at: Moment
    source_url: str

    @property
    def event_kind(self) -> str | None:
        """What kind of event it is, in words; None for a code that CAMEO does not know."""
        return EVENT_KINDS.get(self.event_root_code)


@dataclass(frozen=True, slots=True)
class MentionRow:
    """An article that mentions an event: 16 columns. `identifier` is its URL where `kind` is 1."""

    event_id: int
    event_at: Moment
    mentioned_at: Moment
    kind: int
    source_name: str
    identifier: str
    sentence: int | None
    actor_1_offset: int | None
    actor_2_offset: int | None
    action_offset: int | None
    is_in_raw_text: int | None
    #: 10 to 100 percent.
    confidence: int | None
    length_characters: int | None
    tone: float | None
    translation: str
    extras: str


EVENTS: Final = RowFormat(EventRow)
MENTIONS: Final = RowFormat(MentionRow)
