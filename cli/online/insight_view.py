"""Insight on a terminal: sparklines, tables, and the rows of CSV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from sentiment.insight.buckets import zone_of

_TICKS: Final = "▁▂▃▄▅▆▇█"
_MOST_ROWS: Final = 60
_LABELS: Final = ("negative", "neutral", "positive")
_NAME_CELLS: Final = 11
_COLOURS: Final = {"negative": "red", "neutral": "yellow", "positive": "green"}

_PARTS: Final = {
    "mix": "mix: other topics are discussed",
    "inside": "inside: the same topics are discussed differently",
    "model": "model: another version labelled the texts",
    "volume": "volume: more or fewer texts",
}

Answer = Mapping[str, Any]


def sparkline(values: Sequence[float | None], low: float, high: float) -> str:
    """Return a character a value between `low` and `high`; a blank where there is none."""
    steps = len(_TICKS) - 1
    scale = steps / (high - low) if high > low else 0.0
    return "".join(
        " " if value is None else _TICKS[max(0, min(steps, round((value - low) * scale)))] for value in values
    )


def timeline_card(timeline: Answer, width: int) -> Group:
    """Return a timeline: its heading, two sparklines, and a row a point."""
    points = timeline["points"]
    parts: list[Any] = [_heading(timeline), _span_line(timeline), *_lines(timeline, width), Text()]
    rows = points
    if len(points) > _MOST_ROWS:
        rows = [point for point in points if point["count"]][-_MOST_ROWS:]
        parts.append(Text(f"The last {len(rows)} with texts of {len(points)} points; --csv prints all of them.", "dim"))
    parts.append(_points_table(rows, timeline))
    if any(point["partial"] for point in rows):
        parts.append(Text("* cut by the span's ends or the present", "dim"))
    parts += [Text(_mark_line(mark, timeline["tz"]), "dim") for mark in timeline["marks"]]
    return Group(*parts)


def comparison_card(compared: Answer, width: int) -> Group:
    """Return searches beside each other: sparklines on one scale, and a row a search."""
    series = compared["series"]
    table = Table("Search", "Texts", "Share", "Sentiment", "95 %", box=None, padding=(0, 2, 0, 0))
    for timeline, share in zip(series, compared["share"], strict=True):
        cells = timeline["query"] or "all texts", f"{timeline['total']:,}", "-" if share is None else f"{share:.1%}"
        table.add_row(*map(Text, (*cells, _signed(timeline["sentiment"]), _interval(timeline))))
    most = max((point["count"] for timeline in series for point in timeline["points"]), default=0)
    lines = [line for timeline in series for line in (_heading(timeline), *_lines(timeline, width, most))]
    return Group(table, Text(), _span_line(series[0]), *lines)


def terms_table(terms: Iterable[Answer]) -> Table:
    """Return related terms, the strongest first."""
    table = Table("Term", "Kind", "Texts", "Lift", "Sentiment", box=None, padding=(0, 2, 0, 0))
    for term in terms:
        name = f"#{term['term']}" if term["kind"] == "topic" else term["term"]
        row = name, term["kind"], f"{term['count']:,}", f"{term['lift']:.1f}", _signed(term["sentiment"])
        table.add_row(*map(Text, row))
    return table


def facets_table(answer: Answer) -> Table:
    """Return the values of a field, the most frequent first."""
    table = Table(answer["by"].capitalize(), "Texts", "Sentiment", box=None, padding=(0, 2, 0, 0))
    for facet in answer["facets"]:
        table.add_row(*map(Text, (facet["value"], f"{facet['count']:,}", _signed(facet["sentiment"]))))
    return table


def texts_table(texts: Iterable[Answer], tz: str) -> Table:
    """Return texts with when they were written and how they feel."""
    table = Table("Written", "Sentiment", "Label", "Text", box=None, padding=(0, 2, 0, 0))
    for text in texts:
        written = datetime.fromisoformat(text["created_at"]).astimezone(zone_of(tz))
        label = Text(text["label"] or "-", _COLOURS.get(text["label"], ""))
        words = Text(" ".join(text["text"].split()))
        table.add_row(Text(f"{written:%Y-%m-%d %H:%M}"), Text(_signed(text["sentiment"])), label, words)
    return table


def timeline_rows(series: Iterable[Answer]) -> list[dict[str, Any]]:
    """Return a row a point of each series, for CSV; times are local ones with their offset."""
    return [_point_row(timeline, point) for timeline in series for point in timeline["points"]]


def text_row(text: Answer) -> dict[str, Any]:
    """Return a text's row for CSV."""
    names = ("id", "created_at", "label", "sentiment", "source", "language", "text")
    return {name: text[name] for name in names} | {"topics": " ".join(text["topics"])}


def _point_row(timeline: Answer, point: Answer) -> dict[str, Any]:
    times = {name: _local(point[f"{name}_ms"], timeline["tz"]).isoformat() for name in ("from", "to")}
    figures = {name: point[name] for name in ("count", "sentiment", "low", "high")}
    labels = {label: point["labels"].get(label, 0) for label in _LABELS}
    return {"query": timeline["query"], **times, **figures, **labels, "partial": int(point["partial"])}


def _heading(timeline: Answer) -> Text:
    figures = f"   {timeline['total']:,} texts   sentiment {_signed(timeline['sentiment'])}"
    interval = f" ({_interval(timeline)})" if timeline["low"] is not None else ""
    return Text.assemble((timeline["query"] or "all texts", "bold"), figures, interval)


def _span_line(timeline: Answer) -> Text:
    first, last = (_moment(timeline[name], timeline) for name in ("from_ms", "to_ms"))
    return Text(f"{first} to {last}, {timeline['tz']}, by {timeline['bucket']}", "dim")


def _lines(timeline: Answer, width: int, most: int = 0) -> list[Text]:
    merged = _merged(timeline["points"], max(10, width - _NAME_CELLS - 1))
    most = most or max((point["count"] for point in timeline["points"]), default=0)
    widest = max((count for count, _ in merged), default=0)
    counts: list[float | None] = [float(count) for count, _ in merged]
    means = [mean for _, mean in merged]
    return [
        Text(f"{'texts':<{_NAME_CELLS}}{sparkline(counts, 0.0, float(max(most, widest)))}"),
        Text(f"{'sentiment':<{_NAME_CELLS}}{sparkline(means, -1.0, 1.0)}"),
    ]


def _merged(points: Sequence[Answer], most: int) -> list[tuple[int, float | None]]:
    """Return counts and means of at most `most` groups of neighbouring points."""
    size = -(-len(points) // most) if points else 1
    return [_together(points[start : start + size]) for start in range(0, len(points), size)]


def _together(points: Sequence[Answer]) -> tuple[int, float | None]:
    count = sum(point["count"] for point in points)
    scored = [point for point in points if point["sentiment"] is not None]
    weight = sum(point["count"] for point in scored)
    return count, sum(point["sentiment"] * point["count"] for point in scored) / weight if weight else None


def _points_table(points: Iterable[Answer], timeline: Answer) -> Table:
    table = Table("From", "Texts", "Sentiment", "95 %", *map(str.capitalize, _LABELS), box=None, padding=(0, 2, 0, 0))
    for point in points:
        begin = _moment(point["from_ms"], timeline) + ("*" if point["partial"] else "")
        labels = [str(point["labels"].get(label, 0)) for label in _LABELS]
        table.add_row(
            *map(Text, (begin, f"{point['count']:,}", _signed(point["sentiment"]), _interval(point), *labels))
        )
    return table


def _mark_line(mark: Answer, tz: str) -> str:
    at = _local(mark["at_ms"], tz)
    return f"{at:%Y-%m-%d %H:%M} rollout of version {mark['to']} over {mark['from']}: share {mark['share']:.0%}"


def _moment(at_ms: int, timeline: Answer) -> str:
    """Return a time as the zone's clock shows it: a day alone where it is a midnight."""
    local = _local(at_ms, timeline["tz"])
    if (local.hour, local.minute) == (0, 0) and timeline["bucket"] != "hour":
        return f"{local:%Y-%m-%d}"
    return f"{local:%Y-%m-%d %H:%M}" + (f" {local:%z}" if timeline["tz"].upper() != "UTC" else "")


def _local(at_ms: int, tz: str) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)).astimezone(zone_of(tz))


def _interval(mean: Answer) -> str:
    return "" if mean["low"] is None else f"{mean['low']:+.2f} to {mean['high']:+.2f}"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.2f}"


def why_card(answer: Answer) -> Group:
    """Return why a tone moved: the sentence, the parts, and the topics that drove them."""
    parts: list[Any] = [Text(answer["sentence"])]
    if answer["parts"] is None:
        return Group(*parts)
    sums = Table("Part", "Change", box=None, padding=(0, 2, 0, 0))
    for name, meaning in _PARTS.items():
        sums.add_row(meaning, _signed(answer["parts"][name]))
    drivers = Table("Topic", "Mix", "Inside", "Model", "Texts", "Sentiment", "Words", box=None, padding=(0, 2, 0, 0))
    for driver in answer["drivers"]:
        row = driver_row(driver)
        counts = f"{row['count_before']:,.0f} → {row['count_after']:,.0f}"
        tones = f"{_signed(row['sentiment_before'])} → {_signed(row['sentiment_after'])}"
        cells = [
            row["topic"],
            *(_signed(row[part]) for part in ("mix", "inside", "model")),
            counts,
            tones,
            row["words"],
        ]
        drivers.add_row(*map(Text, cells))
    return Group(*parts, Text(), sums, Text(), drivers)


def driver_row(driver: Answer) -> dict[str, Any]:
    """Return a driver as a row of a table."""
    figures = {name: value for name, value in driver.items() if name not in ("topic", "words", "texts")}
    return {"topic": driver["topic"] or "(no topic)", **figures, "words": ", ".join(driver["words"])}
