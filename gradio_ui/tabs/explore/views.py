"""What the tab *Explore* shows beside its plots, as HTML. Everything that comes from people is escaped."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from gradio_ui.messages import shown
from gradio_ui.tabs.explore.plots import COLOURS, short
from gradio_ui.tabs.explore.searching import Explored
from sentiment.tables.formulas import escaped

_ALL: Final = "all texts"
_COLUMNS: Final = (
    "query",
    "from",
    "to",
    "count",
    "sentiment",
    "low",
    "high",
    "negative",
    "neutral",
    "positive",
    "partial",
)


def summary(explored: Explored) -> str:
    """Return a tile for each search: how many texts, their tone with its interval, and its share of voice."""
    tiles = []
    for number, timeline in enumerate(explored.series):
        share = explored.share[number] if len(explored.series) > 1 else None
        tiles.append(_tile(timeline, COLOURS[number % len(COLOURS)], share))
    return f'<div class="tiles searches" role="status">{"".join(tiles)}</div>'


def texts_list(texts: Sequence[Mapping[str, Any]], zone: str) -> str:
    """Return texts as a list: label, tone, time, source, and the text."""
    if not texts:
        return '<p class="small">No text in this span.</p>'
    return f'<ul class="texts">{"".join(_text(text, ZoneInfo(zone)) for text in texts)}</ul>'


def terms_list(terms: Sequence[Mapping[str, Any]]) -> str:
    """Return related words and topics as buttons, the strongest first; a click adds one to the search."""
    if not terms:
        return '<p class="small">No word or topic is clearly more frequent in these texts than in all texts.</p>'
    rows = "".join(_term(term) for term in terms)
    return (
        '<table class="terms"><thead><tr><th>Word or topic</th><th>Texts</th><th>Lift</th><th>Tone</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def facet_bars(title: str, facets: Sequence[Mapping[str, Any]], name: Callable[[str], str] = str) -> str:
    """Return the most frequent values of a field as bars, coloured by tone; `name` makes of a value what is shown.

    Values are of a field's own: texts without any are not among them.
    """
    if not facets:
        return ""
    most = max(facet["count"] for facet in facets)
    return f'<div class="facets"><h4>{shown(title)}</h4>{"".join(_facet(facet, most, name) for facet in facets)}</div>'


def completion_list(completions: Sequence[Mapping[str, Any]]) -> str:
    """Return what a word that is being typed may become, as buttons."""
    buttons = (
        f'<button type="button" class="chip" data-complete="{shown(each["term"])}" data-kind="{shown(each["kind"])}">'
        f"{'#' if each['kind'] == 'topic' else ''}{shown(each['term'])} <small>{each['count']:,}</small></button>"
        for each in completions
    )
    return f'<div class="chips" role="listbox" aria-label="Completions">{"".join(buttons)}</div>' if completions else ""


def as_csv(explored: Explored) -> str:
    """Return all points of all searches as CSV; no cell is a formula."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(_COLUMNS)
    for timeline in explored.series:
        zone = ZoneInfo(timeline["tz"])
        for point in timeline["points"]:
            ends = (_at(point[end], zone).isoformat() for end in ("from_ms", "to_ms"))
            figures = (point["count"], point["sentiment"], point["low"], point["high"])
            labels = (point["labels"].get(label, 0) for label in ("negative", "neutral", "positive"))
            writer.writerow((escaped(timeline["query"]), *ends, *figures, *labels, point["partial"]))
    return file.getvalue()


def _tile(timeline: Mapping[str, Any], colour: str, share: float | None) -> str:
    tone = "no tone yet"
    if timeline["sentiment"] is not None:
        tone = f"tone {timeline['sentiment']:+.2f}"
        if timeline["low"] is not None:
            tone += f" <small>({timeline['low']:+.2f} to {timeline['high']:+.2f})</small>"
    voice = "" if share is None else f" · {share:.1%} of voice"
    return (
        f'<div class="tile" style="box-shadow: inset 0 3px 0 {colour}, 0 0 0 1px var(--border-color-primary)" '
        f'data-count="{timeline["total"]}"><div class="tile-title">{shown(short(timeline["query"]) or _ALL)}</div>'
        f'<div class="tile-count">{timeline["total"]:,}</div><div class="tile-note">{tone}{voice}</div></div>'
    )


def _text(text: Mapping[str, Any], zone: ZoneInfo) -> str:
    label = str(text.get("label") or "unlabelled")
    tone = "" if text.get("sentiment") is None else f" {text['sentiment']:+.2f}"
    written = datetime.fromisoformat(text["created_at"]).astimezone(zone)
    facts = [written.strftime("%d %b %Y %H:%M"), text.get("source"), *text.get("topics", ())]
    return (
        f'<li class="{shown(label)}"><span class="tag">{shown(label)}{tone}</span> {shown(text["text"])}'
        f'<div class="small">{" · ".join(shown(fact) for fact in facts if fact)}</div></li>'
    )


def _facet(facet: Mapping[str, Any], most: int, name: Callable[[str], str]) -> str:
    tone = facet["sentiment"]
    spoken = f"{facet['count']:,} texts" + ("" if tone is None else f", tone {tone:+.2f}")
    called = shown(name(str(facet["value"])))
    return (
        f'<div class="bar"><span class="bar-name">{called}</span>'
        f'<span class="bar-track" role="img" aria-label="{called}: {spoken}">'
        f'<span class="bar-fill {_side(tone)}" style="width:{facet["count"] / most:.1%}"></span></span>'
        f'<span class="bar-share">{facet["count"]:,} <small>{_signed(tone)}</small></span></div>'
    )


def _signed(tone: float | None) -> str:
    return "" if tone is None else f"{tone:+.2f}"


def _side(tone: float | None) -> str:
    return "neutral" if tone is None or abs(tone) < 0.1 else ("positive" if tone > 0 else "negative")


def _term(term: Mapping[str, Any]) -> str:
    tone = term["sentiment"]
    side = _side(tone)
    name = f"{'#' if term['kind'] == 'topic' else ''}{shown(term['term'])}"
    what = f'data-add="{shown(term["term"])}" data-kind="{shown(term["kind"])}"'
    return (
        f'<tr><td><button type="button" class="chip" {what} title="Add to the search">{name}</button></td>'
        f"<td>{term['count']:,}</td><td>×{term['lift']:.1f}</td>"
        f'<td class="{side}">{"–" if tone is None else f"{tone:+.2f}"}</td></tr>'
    )


def _at(at_ms: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone)
