"""What an article is about, as topics of a text: themes, people, organisations and places that it speaks of most."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

from sentiment.sources.columns import topics_of
from sentiment.sources.gdelt.gkg import GkgPlace, GkgRow

_Name = TypeVar("_Name")
MOST_THEMES: Final = 7
MOST_PERSONS: Final = 4
MOST_ORGANIZATIONS: Final = 4
MOST_PLACES: Final = 4
#: Lists of words that stand in an article (functions, peoples, languages, ranks, animals), not of what it is about.
_WORD_LISTS: Final = re.compile(r"TAX_(FNCACT|ETHNICITY|WORLD\w*?|MILITARY_TITLE|RELIGION)(_|$)|CRISISLEX_|MEDIA_MSM$")
#: What begins a theme and says only whose list it is in.
_LISTS: Final = re.compile(
    r"(WB_\d+|TAX_(DISEASE|ECON|WEAPONS|TERROR_GROUP|POLITICAL_PARTY|AIDGROUPS|SPECIAL\w*?)|TAX"
    r"|EPU(_CATS|_POLICY|_ECONOMY)?|UNGP|USPEC|SOC_POINTSOFINTEREST|SOC|ECON|ENV|GENERAL|GEN)_"
)
_DIGITS_BEHIND: Final = re.compile(r"(?<=[A-Z])\d+$")


def topics_of_article(row: GkgRow, events: Iterable[str] = ()) -> tuple[str, ...]:
    """Return what a text may have of topics, most important first in each kind: `events`, then themes and names."""
    themes = Counter[str]()
    for theme, count in row.themes.items():
        if name := theme_name(theme):
            themes[name] = max(themes[name], count)
    named = [
        *events,
        *_most(themes, MOST_THEMES),
        *_most(row.persons, MOST_PERSONS),
        *_most(row.organizations, MOST_ORGANIZATIONS),
        *_place_names(row.places),
    ]
    return topics_of([name.casefold() for name in named])


def theme_name(theme: str) -> str:
    """Return a theme as a reader would say it; empty for one that says nothing of its own.

    `WB_2670_JOBS` and `UNGP_JOBS` are `jobs`, `TAX_DISEASE_CORONAVIRUS` is `coronavirus`; `TAX_FNCACT_CHIEF` is none.
    """
    if _WORD_LISTS.match(theme) or _LISTS.fullmatch(f"{theme}_"):
        return ""
    inner = _DIGITS_BEHIND.sub("", _LISTS.sub("", theme, count=1))
    return " ".join(inner.replace("_", " ").split()).casefold()


def _place_names(places: Counter[GkgPlace]) -> Iterator[str]:
    """Yield the places that come most, each before its country."""
    for place in _most(places, MOST_PLACES):
        yield place.name
        yield place.country


def _most(counts: Counter[_Name], most: int) -> list[_Name]:
    return [name for name, _ in counts.most_common(most)]
