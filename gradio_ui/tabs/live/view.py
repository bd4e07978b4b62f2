"""How the tab *Live* shows a stream: tiles, ring, latest texts, tone over time, and which labels were mistaken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import plotly.graph_objects as go

from gradio_ui.charts import donut, progress, tiles
from gradio_ui.messages import note, problem, shown
from gradio_ui.tabs.explore.axis import positions
from gradio_ui.tabs.explore.plots import timelines
from gradio_ui.tabs.explore.views import facet_bars, texts_list
from gradio_ui.tabs.live.streams import StreamSnapshot, confusion
from sentiment.labels import THREE_CLASSES

_ROLLING: Final = 3
_STATES: Final = {
    "starting": "starts",
    "running": "runs",
    "waiting": "waits",
    "paused": "is paused",
    "stopped": "was stopped",
    "finished": "is finished",
    "failed": "failed",
}


def state_line(ingest: Mapping[str, Any]) -> str:
    """Return how a stream is, in a line, with a bar where its length is known."""
    counts = ", ".join(f"{ingest[count]:,} {count}" for count in ("read", "kept", "folded", "rejected"))
    corrected = f", {ingest['corrected']:,} with a corrected time" if ingest["corrected"] else ""
    line = f"{ingest['name']} {_STATES.get(ingest['state'], ingest['state'])}: {counts}{corrected}."
    if ingest["problem"]:
        return problem(f"{line} {ingest['problem']}")
    of = ingest["limit"] or ingest["expected"]
    if of and ingest["state"] in ("running", "starting"):
        return progress(min(ingest["read"], of), of, line)
    return note(line)


def counts_of(timeline: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of texts of each label."""
    return {label: sum(point["labels"].get(label, 0) for point in timeline["points"]) for label in THREE_CLASSES}


def overview(stream: StreamSnapshot, before: int) -> tuple[str, str]:
    """Return tiles and ring; `before` is the total that was shown last."""
    counts, total = counts_of(stream.timeline), stream.timeline["total"]
    return tiles(counts, total, total - before, "since the last look"), donut(counts) if total else ""


def bars(stream: StreamSnapshot) -> str:
    """Return bars by topic and by author; an author is known by the beginning of a keyed hash."""
    authors = facet_bars("Authors", stream.authors, lambda key: f"author {key[:6]}")
    return f'<div class="facet-row">{facet_bars("Topics", stream.topics)}{authors}</div>'


def over_time(timeline: Mapping[str, Any]) -> go.Figure:
    """Draw tone and volume with the rolling mean of the tone over three points."""
    figure = timelines([timeline])
    tones = [point["sentiment"] for point in timeline["points"]]
    windows = (tones[max(0, end - _ROLLING) : end] for end in range(1, len(tones) + 1))
    means = [_mean([tone for tone in window if tone is not None]) for window in windows]
    figure.add_trace(
        go.Scatter(
            x=positions(timeline),
            y=means,
            name=f"rolling mean of {_ROLLING}",
            mode="lines",
            line={"color": "#ca8a04", "width": 2, "dash": "dash"},
            hovertemplate="%{y:+.2f}",
        ),
        1,
        1,
    )
    return figure


def latest_list(texts: Sequence[Mapping[str, Any]]) -> str:
    """Return the latest texts."""
    return texts_list(texts, "UTC") if texts else '<p class="small">No text yet.</p>'


def confusion_table(labelled: Sequence[Mapping[str, Any]]) -> str:
    """Return how true labels were labelled, as a table with shades; empty where no true label came along."""
    counts = confusion(labelled)
    if not counts:
        return ""
    most = max(counts.values())
    head = "".join(f"<th>{label}</th>" for label in THREE_CLASSES)
    rows = "".join(
        f"<tr><th>{true}</th>{''.join(_cell(counts.get((true, label), 0), most) for label in THREE_CLASSES)}</tr>"
        for true in THREE_CLASSES
    )
    right = sum(count for (true, label), count in counts.items() if true == label) / sum(counts.values())
    return (
        f'<p class="small">The newest {sum(counts.values()):,} texts with a true label: {right:.1%} are right. '
        "Rows: true; columns: as classified.</p>"
        f'<table class="terms confusion"><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>'
    )


def streams_list(ingests: Sequence[Mapping[str, Any]]) -> str:
    """Return all streams, a line each."""
    rows = "".join(
        f"<tr><td>{shown(each['name'])}</td><td>{shown(each['kind'])}</td>"
        f"<td>{shown(_STATES.get(each['state'], each['state']))}</td><td>{each['kept']:,}</td></tr>"
        for each in ingests
    )
    head = "<tr><th>Stream</th><th>Source</th><th>State</th><th>Texts</th></tr>"
    return f'<table class="terms"><thead>{head}</thead><tbody>{rows}</tbody></table>' if rows else ""


def _cell(count: int, most: int) -> str:
    return f'<td style="background: rgba(13, 148, 136, {0.6 * count / most:.2f})">{count:,}</td>'


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
