"""*Why did it move?*: two spans of the search, the parts of the change, and the topics, words and texts behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import gradio as gr
import plotly.graph_objects as go

from gradio_ui.messages import note, problem, shown
from gradio_ui.tabs.explore.axis import written
from gradio_ui.tabs.explore.plots import looks
from gradio_ui.tabs.explore.searching import Explored
from gradio_ui.tabs.explore.views import texts_list
from sentiment.client.http import UndertoneClient
from sentiment.errors import UndertoneError

_PARTS: Final = {"mix": "Mix of topics", "inside": "Inside topics", "model": "Model version"}
_FIRST_SEARCH: Final = "Search for something first."
_QUIET: Final[dict[str, Any]] = {"show_progress": "hidden", "api_visibility": "private"}


def build_why(client: UndertoneClient, state: gr.State, query: gr.Textbox) -> None:
    """Add the part to the Blocks under construction; `state` holds what was searched for last, in words in `query`."""
    with gr.Accordion("Why did it move?", open=False, elem_id="explore-why") as section:
        with gr.Row(equal_height=False, elem_id="explore-spans"):
            before = gr.Textbox(label="First span, FROM/TO", max_lines=1, min_width=220, scale=3)
            after = gr.Textbox(label="Second span, FROM/TO", max_lines=1, min_width=220, scale=3)
            start = gr.Button("Compare spans", variant="primary", min_width=140, scale=1)
        answer = gr.HTML("", elem_id="explore-why-answer")
        plot = gr.Plot(show_label=False, visible=False, elem_id="explore-why-plot")
        drivers = gr.HTML("", elem_id="explore-why-drivers")

    def ask(state: Explored | None, typed: str, first: str, second: str) -> list[Any]:
        """Split the change between the two spans."""
        if state is None:
            return [note(_FIRST_SEARCH), gr.update(visible=False), ""]
        parameters = [("q", typed or ""), ("before", first or ""), ("after", second or ""), ("tz", state.first["tz"])]
        try:
            answer_json = client.insights("why", parameters)
        except UndertoneError as exc:
            return [problem(exc), gr.update(visible=False), ""]
        if answer_json["parts"] is None:
            return [note(answer_json["sentence"]), gr.update(visible=False), ""]
        return [
            note(answer_json["sentence"]),
            gr.update(value=waterfall(answer_json), visible=True),
            drivers_list(answer_json),
        ]

    section.expand(default_spans, [state, before, after], [before, after], **_QUIET)
    start.click(ask, [state, query, before, after], [answer, plot, drivers], **_QUIET)


def default_spans(state: Explored | None, before: str, after: str) -> list[Any]:
    """Return the two halves of what is shown, unless something is written there already."""
    if state is None or before or after or len(state.first["points"]) < 2:
        return [before, after]
    points, timeline = state.first["points"], state.first
    middle = points[len(points) // 2]["from_ms"]
    begin, half, end = (written(at, timeline) for at in (points[0]["from_ms"], middle, points[-1]["to_ms"]))
    return [f"{begin}/{half}", f"{half}/{end}"]


def waterfall(answer: Mapping[str, Any]) -> go.Figure:
    """Draw the tone of the first span, the parts that changed it, and the tone of the second."""
    parts = [answer["parts"][name] for name in _PARTS]
    begin = answer["before"]["sentiment"]
    figure = go.Figure(
        go.Waterfall(
            x=["First span", *_PARTS.values(), "Second span"],
            y=[begin, *parts, None],
            measure=["absolute", *["relative"] * len(parts), "total"],
            text=[f"{begin:+.2f}", *(f"{part:+.3f}" for part in parts), f"{begin + sum(parts):+.2f}"],
            textposition="outside",
            cliponaxis=False,
            increasing={"marker": {"color": "#0f9d80"}},
            decreasing={"marker": {"color": "#d9482b"}},
            totals={"marker": {"color": "#8a94a6"}},
            connector={"line": {"color": "rgba(124, 135, 152, 0.5)", "width": 1}},
        )
    )
    figure.update_layout(showlegend=False, **looks(320))
    figure.update_yaxes(gridcolor="rgba(124, 135, 152, 0.22)", zerolinecolor="#7c8798")
    return figure


def volume_line(answer: Mapping[str, Any]) -> str:
    """Return in a line what the volume did beside the tone."""
    counts = (
        f"{answer['before']['count']:,} labelled texts in the first span, {answer['after']['count']:,} in the second"
    )
    return (
        f'<p class="small">{counts}. The change of volume moves the net tone by {answer["parts"]["volume"]:+.3f}.</p>'
    )


def drivers_list(answer: Mapping[str, Any]) -> str:
    """Return the topics that drove the change, the strongest first, with their words and texts."""
    rows = "".join(_row(driver) for driver in answer["drivers"])
    head = "".join(f"<th>{name}</th>" for name in ("Topic", "Mix", "Inside", "Model", "Texts", "Tone", "Words"))
    table = f'<table class="terms"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return volume_line(answer) + table + "".join(_shown_by(driver) for driver in answer["drivers"] if driver["texts"])


def _row(driver: Mapping[str, Any]) -> str:
    cells: Sequence[str] = [
        shown(driver["topic"] or "(no topic)"),
        *(_signed(driver[part]) for part in ("mix", "inside", "model")),
        f"{driver['count_before']:,.0f} → {driver['count_after']:,.0f}",
        f"{_tone(driver['sentiment_before'])} → {_tone(driver['sentiment_after'])}",
        shown(", ".join(driver["words"])),
    ]
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _shown_by(driver: Mapping[str, Any]) -> str:
    texts = texts_list(driver["texts"], "UTC")
    return f'<p class="small">Texts about {shown(driver["topic"])} in the second span:</p>{texts}'


def _signed(part: float) -> str:
    side = "neutral" if abs(part) < 0.005 else ("positive" if part > 0 else "negative")
    return f'<span class="{side}">{part:+.3f}</span>'


def _tone(value: float | None) -> str:
    return "–" if value is None else f"{value:+.2f}"
