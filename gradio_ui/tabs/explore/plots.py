"""The plots of the tab *Explore*, drawn from what the API answers. Texts of people are escaped: Plotly reads them as
a kind of HTML."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from math import cos, log1p, pi, sin
from typing import Any, Final

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gradio_ui.tabs.explore.axis import name_of, place, positions, title_of

#: Told apart by the colour-blind, legible on white and on black.
COLOURS: Final = ("#0d9488", "#d9482b", "#8b5cf6", "#ca8a04", "#3b82f6")
_LABEL_COLOURS: Final = {"negative": "#d9482b", "neutral": "#8a94a6", "positive": "#0f9d80", "unlabelled": "#c0c7d1"}
_INK: Final = "#7c8798"
_GRID: Final = "rgba(124, 135, 152, 0.22)"
#: Fewer texts than these in a point say little of its tone.
FEW: Final = 10
_LONGEST_NAME: Final = 40
_HEIGHT: Final = {2: 460, 3: 620}
#: Pixels between the plots and the legend: room for the axis and its title.
_LEGEND_BELOW: Final = 92
_RING: Final = 1.0


def timelines(series: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Draw tone and volume of one search, or of up to five with their share of voice, on one axis of time.

    A bucket without texts breaks the line of the tone; what is not a whole bucket is drawn dashed.
    """
    rows = 3 if len(series) > 1 else 2
    titles = ("Tone, from −1 to +1", "Texts", "Share of voice, %")[:rows]
    figure = make_subplots(rows, 1, shared_xaxes=True, vertical_spacing=0.09, subplot_titles=titles)
    for number, timeline in enumerate(series):
        colour = COLOURS[number % len(COLOURS)]
        for trace in _tone(timeline, colour):
            figure.add_trace(trace, 1, 1)
    if len(series) == 1:
        figure.add_traces(list(_labels(series[0])), 2, 1)
    else:
        figure.add_traces([_volume(each, COLOURS[i % len(COLOURS)]) for i, each in enumerate(series)], 2, 1)
        figure.add_traces(list(_shares(series)), 3, 1)
    for mark in series[0].get("marks", ()):
        _draw_mark(figure, mark, series[0])
    figure.update_layout(barmode="stack", hovermode="x unified", **looks(_HEIGHT[rows]))
    figure.update_xaxes(gridcolor=_GRID, type="date", zeroline=False)
    figure.update_xaxes(title=title_of(series[0]), row=rows, col=1)
    figure.update_yaxes(gridcolor=_GRID, zerolinecolor=_GRID)
    figure.update_yaxes(range=[-1.05, 1.05], row=1, col=1)
    figure.update_yaxes(rangemode="tozero", row=2, col=1)
    figure.for_each_annotation(lambda title: title.update(font={"size": 13}))
    return figure


def graph(search: str, terms: Sequence[Mapping[str, Any]], links: Sequence[tuple[str, str]]) -> go.Figure:
    """Draw related words around a search: the larger, the more texts; linked where one is related to the other too.

    `links` are pairs of terms.
    """
    places = {term["term"]: _on_ring(i, len(terms)) for i, term in enumerate(terms)}
    figure = go.Figure()
    for ends, width in ((((0.0, 0.0), spot), 0.8) for spot in places.values()):
        figure.add_trace(_edge(ends, width))
    for first, second in links:
        if first in places and second in places:
            figure.add_trace(_edge((places[first], places[second]), 1.6))
    most = max((term["count"] for term in terms), default=1)
    figure.add_trace(
        go.Scatter(
            x=[spot[0] for spot in places.values()],
            y=[spot[1] for spot in places.values()],
            mode="markers+text",
            text=[f"{'#' if term['kind'] == 'topic' else ''}{escape(short(term['term']))}" for term in terms],
            textposition="top center",
            hovertext=[_related_hover(term) for term in terms],
            hoverinfo="text",
            marker={
                "size": [12 + 26 * log1p(term["count"]) / log1p(most) for term in terms],
                "color": [term["sentiment"] or 0.0 for term in terms],
                "colorscale": [[0, "#d9482b"], [0.5, "#8a94a6"], [1, "#0f9d80"]],
                "cmin": -1,
                "cmax": 1,
                "line": {"width": 0},
            },
        )
    )
    figure.add_annotation(x=0, y=0, text=f"<b>{escape(short(search) or 'all texts')}</b>", showarrow=False)
    figure.update_layout(showlegend=False, hovermode="closest", **looks(420))
    figure.update_xaxes(visible=False, range=[-1.45, 1.45])
    figure.update_yaxes(visible=False, range=[-1.3, 1.35])
    return figure


def escape(text: str) -> str:
    """Return a text as Plotly shows it: it knows `&lt;` and `&amp;`, and no quotes."""
    return html.escape(text, quote=False)


def short(text: str) -> str:
    """Return a search or a word as a legend shows it."""
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"


def _tone(timeline: Mapping[str, Any], colour: str) -> Iterator[go.Scatter]:
    """Yield the band, the line of whole buckets, and the dashed ends."""
    x, points = positions(timeline), timeline["points"]
    name = escape(short(timeline["query"]) or "all texts")
    for first, last in _unbroken(points):
        yield go.Scatter(
            x=[*x[first:last], *reversed(x[first:last])],
            y=[*(p["high"] for p in points[first:last]), *(p["low"] for p in reversed(points[first:last]))],
            fill="toself",
            mode="lines",
            fillcolor=_faint(colour),
            line={"width": 0},
            hoverinfo="skip",
            legendgroup=name,
            showlegend=False,
        )
    whole = [None if point["partial"] else point["sentiment"] for point in points]
    hover = [_tone_hover(point, timeline) for point in points]
    style = {"x": x, "hovertext": hover, "hoverinfo": "name+text", "legendgroup": name, "name": name}
    yield go.Scatter(
        y=whole, mode="lines+markers", line={"color": colour, "width": 2}, marker={"size": 5, "color": colour}, **style
    )
    if any(point["partial"] for point in points):
        dashed = {"color": colour, "width": 2, "dash": "dot"}
        marker = {"size": 6, "symbol": "circle-open", "color": colour}
        ends = [point["sentiment"] if _at_an_end(points, i) else None for i, point in enumerate(points)]
        yield go.Scatter(y=ends, mode="lines+markers", line=dashed, marker=marker, showlegend=False, **style)


def _at_an_end(points: Sequence[Mapping[str, Any]], number: int) -> bool:
    """Say whether a point is partial, or the neighbour of one, to which the dashed line is drawn."""
    return any(points[i]["partial"] for i in (number - 1, number, number + 1) if 0 <= i < len(points))


def _unbroken(points: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, int]]:
    """Yield where stretches of points with a tone begin and end."""
    begin: int | None = None
    for number, point in enumerate([*points, {"low": None}]):
        if point["low"] is None:
            if begin is not None:
                yield begin, number
            begin = None
        elif begin is None:
            begin = number


def _labels(timeline: Mapping[str, Any]) -> Iterator[go.Bar]:
    x, points = positions(timeline), timeline["points"]
    for label, colour in _LABEL_COLOURS.items():
        counts = [point["labels"].get(label, 0) for point in points]
        if any(counts):
            yield go.Bar(x=x, y=counts, name=label, marker={"color": colour}, hovertemplate="%{y:,} " + label)


def _volume(timeline: Mapping[str, Any], colour: str) -> go.Scatter:
    name = escape(short(timeline["query"]) or "all texts")
    counts = [point["count"] for point in timeline["points"]]
    line = {"color": colour, "width": 2}
    hover = "%{y:,} texts"
    return go.Scatter(
        x=positions(timeline), y=counts, name=name, legendgroup=name, showlegend=False, line=line, hovertemplate=hover
    )


def _shares(series: Sequence[Mapping[str, Any]]) -> Iterator[go.Scatter]:
    totals = [sum(each["points"][i]["count"] for each in series) for i in range(len(series[0]["points"]))]
    for number, timeline in enumerate(series):
        colour = COLOURS[number % len(COLOURS)]
        yield go.Scatter(
            x=positions(timeline),
            y=[
                100 * p["count"] / total if total else None for p, total in zip(timeline["points"], totals, strict=True)
            ],
            stackgroup="share",
            name=escape(short(timeline["query"]) or "all texts"),
            showlegend=False,
            line={"color": colour, "width": 0.5},
            hovertemplate="%{y:.1f} %",
        )


def _draw_mark(figure: go.Figure, mark: Mapping[str, Any], timeline: Mapping[str, Any]) -> None:
    at = place(mark["at_ms"], timeline)
    figure.add_shape(
        type="line", x0=at, x1=at, y0=0, y1=1, xref="x", yref="paper", line={"color": _INK, "width": 1, "dash": "dash"}
    )
    figure.add_annotation(
        x=at, y=1.02, xref="x", yref="paper", text=escape(_mark_text(mark)), showarrow=False, font={"size": 11}
    )


def _mark_text(mark: Mapping[str, Any]) -> str:
    share = mark.get("share")
    return f"version {mark.get('to')}" + ("" if share in (None, 1, 1.0) else f", {share:.0%}")


def _tone_hover(point: Mapping[str, Any], timeline: Mapping[str, Any]) -> str:
    when = name_of(point, timeline)
    if point["sentiment"] is None:
        return f"{when}: no text"
    few = ", too few to rely on" if point["count"] < FEW else ""
    part = ", an incomplete bucket" if point["partial"] else ""
    return (
        f"{when}: {point['sentiment']:+.2f} ({point['low']:+.2f} to {point['high']:+.2f}), "
        f"{point['count']:,} texts{few}{part}"
    )


def _related_hover(term: Mapping[str, Any]) -> str:
    tone = "" if term["sentiment"] is None else f", tone {term['sentiment']:+.2f}"
    return f"{escape(str(term['term']))}: {term['count']:,} texts, {term['lift']:.1f} times as often as elsewhere{tone}"


def _edge(ends: Sequence[tuple[float, float]], width: float) -> go.Scatter:
    line = {"color": _GRID, "width": width}
    return go.Scatter(x=[e[0] for e in ends], y=[e[1] for e in ends], mode="lines", line=line, hoverinfo="skip")


def _on_ring(number: int, of: int) -> tuple[float, float]:
    """Return a place on one of two rings, so that neighbours' words do not lie on each other."""
    angle = 2 * pi * number / max(1, of) + pi / 2
    radius = _RING if number % 2 == 0 else 0.62 * _RING
    return radius * cos(angle), radius * sin(angle)


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.16)"


def looks(height: int) -> dict[str, Any]:
    """Return a layout that stands on a light page and on a dark one."""
    return {
        "height": height,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": _INK, "family": "system-ui, sans-serif", "size": 12},
        "margin": {"l": 46, "r": 14, "t": 40, "b": 90},
        "legend": {"orientation": "h", "y": -_LEGEND_BELOW / height},
        "dragmode": "zoom",
    }
