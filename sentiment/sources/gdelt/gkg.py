"""Rows of GDELT's Global Knowledge Graph: an article, and what it is about. Source: the codebook of GKG 2.1."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sentiment.sources.gdelt.columns import BrokenRow, Moment, RowFormat, read_number

_LANGUAGE: Final = re.compile(r"srclc:([a-z]{3})\b", re.ASCII)


@dataclass(frozen=True, slots=True)
class ArticleTone:
    """How an article sounds to GDELT's word lists: percentages of its words, and their number.

    `tone` is `positive` minus `negative`. Of GKG 1 the number of words is not known.
    """

    tone: float
    positive: float
    negative: float
    polarity: float
    activity_density: float
    self_group_density: float
    words: int | None


@dataclass(frozen=True, slots=True)
class GkgPlace:
    """A place in an article; `kind` is 1 for a country, 2 and 5 for a state, 3 and 4 for a city."""

    kind: int
    full_name: str
    country_code: str
    feature_id: str

    @property
    def name(self) -> str:
        """The place itself, without what it lies in."""
        return self.full_name.split(",")[0].strip()

    @property
    def country(self) -> str:
        """The country that it lies in, or is."""
        return self.full_name.rpartition(",")[2].strip()


@dataclass(frozen=True, slots=True)
class GkgRow:
    """An article in GKG 2.1: 27 columns. Those called `v1_` and `v2_` say the same, the latter with its places."""

    record_id: str
    at: Moment
    collection: int
    source_name: str
    document_id: str
    v1_counts: str
    v2_counts: str
    v1_themes: str
    v2_themes: str
    v1_locations: str
    v2_locations: str
    v1_persons: str
    v2_persons: str
    v1_organizations: str
    v2_organizations: str
    v2_tone: str
    v2_dates: str
    gcam: str
    sharing_image: str
    related_images: str
    social_image_embeds: str
    social_video_embeds: str
    quotations: str
    all_names: str
    amounts: str
    translation: str
    extras: str

    @property
    def title(self) -> str:
        """The page's title in its own language; empty where there is none, as in old rows. Raises BrokenRow."""
        _, begin, rest = self.extras.partition("<PAGE_TITLE>")
        title, end, _ = rest.partition("</PAGE_TITLE>")
        if not (begin and end):
            return ""
        try:
            return " ".join(html.unescape(title).split())
        except ValueError:  # a character's number of thousands of digits
            raise BrokenRow("title has an invalid character reference") from None

    @property
    def tone(self) -> ArticleTone | None:
        """V2Tone; None where there is none. Raises BrokenRow."""
        return tone_of(self.v2_tone, 7)

    @property
    def original_language(self) -> str | None:
        """The language that a translated article was in, as ISO 639-3 has it; None for one that was not translated."""
        match = _LANGUAGE.search(self.translation)
        return match[1] if match else None

    @property
    def themes(self) -> Counter[str]:
        """Themes, by how often they come, in the order in which they are listed."""
        return _mentions(self.v2_themes) or _listed(self.v1_themes)

    @property
    def persons(self) -> Counter[str]:
        """Names of people, by how often they come."""
        return _mentions(self.v2_persons) or _listed(self.v1_persons)

    @property
    def organizations(self) -> Counter[str]:
        """Names of organisations, by how often they come."""
        return _mentions(self.v2_organizations) or _listed(self.v1_organizations)

    @property
    def places(self) -> Counter[GkgPlace]:
        """Places, by how often they come, as the gazetteer calls them: Germany where the article has German."""
        named = {place.feature_id: place for place in places_of(self.v1_locations)}
        mentioned = (named.get(place.feature_id, place) for place in places_of(self.v2_locations, offsets=True))
        return Counter(mentioned) or Counter(named.values())


@dataclass(frozen=True, slots=True)
class Gkg1Row:
    """Articles of a day with the same names, in GKG 1: 11 columns, the tone in six numbers."""

    day: Moment
    articles: int
    counts: str
    v1_themes: str
    v1_locations: str
    v1_persons: str
    v1_organizations: str
    v1_tone: str
    event_ids: str
    sources: str
    source_urls: str

    @property
    def tone(self) -> ArticleTone | None:
        """The tone, without the number of words; None where there is none. Raises BrokenRow."""
        return tone_of(self.v1_tone, 6)

    @property
    def themes(self) -> Counter[str]:
        """Themes, each once."""
        return _listed(self.v1_themes)

    @property
    def persons(self) -> Counter[str]:
        """Names of people, each once."""
        return _listed(self.v1_persons)

    @property
    def organizations(self) -> Counter[str]:
        """Names of organisations, each once."""
        return _listed(self.v1_organizations)

    @property
    def places(self) -> Counter[GkgPlace]:
        """Places, each once."""
        return Counter(places_of(self.v1_locations))


GKG: Final = RowFormat(GkgRow)
GKG_1: Final = RowFormat(Gkg1Row)


def tone_of(cell: str, numbers: int) -> ArticleTone | None:
    """Return a tone of so many numbers with commas between, 7 or 6; None for an empty cell. Raises BrokenRow."""
    if not cell:
        return None
    figures = [read_number(each) for each in cell.split(",")]
    if len(figures) != numbers:
        raise BrokenRow(f"tone has {len(figures)} numbers, not {numbers}")
    tone, positive, negative, polarity, activity, self_group = figures[:6]
    words = int(figures[6]) if numbers == 7 else None
    return ArticleTone(tone, positive, negative, polarity, activity, self_group, words)


def places_of(cell: str, *, offsets: bool = False) -> Iterator[GkgPlace]:
    """Yield the places in a cell with `;` between; what is not written as a place is left out.

    A place is `kind#name#country#region#latitude#longitude#feature`; with `offsets` a district comes behind the region,
    and an offset at the end.
    """
    for each in cell.split(";"):
        parts = each.split("#")
        if len(parts) == (9 if offsets else 7) and parts[0] in ("1", "2", "3", "4", "5") and parts[1].strip():
            yield GkgPlace(int(parts[0]), parts[1].strip(), parts[2], parts[-2 if offsets else -1])


def _mentions(cell: str) -> Counter[str]:
    """Count `name,offset` with `;` between."""
    names = (each.rpartition(",")[0].strip() for each in cell.split(";"))
    return Counter(name for name in names if name)


def _listed(cell: str) -> Counter[str]:
    return Counter(name for each in cell.split(";") if (name := each.strip()))
