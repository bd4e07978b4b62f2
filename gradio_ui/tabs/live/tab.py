"""The tab *Live*: choose a stream or start one, and watch it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import gradio as gr

from gradio_ui.messages import note, problem
from gradio_ui.tabs.batch.analysis import likely_column, uploaded_table
from gradio_ui.tabs.live.streams import (
    BLUESKY,
    DEMO,
    SPEEDS,
    UPLOAD,
    StreamRequest,
    ingest_of,
    look,
    start,
    timeline_of,
)
from gradio_ui.tabs.live.view import (
    bars,
    confusion_table,
    latest_list,
    over_time,
    overview,
    state_line,
    streams_list,
)
from sentiment.client.http import UndertoneClient
from sentiment.errors import UndertoneError

_TICK_S: Final = 2.0
_NONE: Final = "No stream runs yet. Start one: the demonstration takes a minute."
_GUESSES: Final = {
    "time": ("created_at", "date", "time", "timestamp", "created"),
    "author": ("author", "user", "username", "user_name"),
    "topic": ("topic", "topics", "hashtags"),
    "id": ("id", "tweet_id"),
    "label": ("label", "sentiment", "polarity", "target"),
}
_NO_COLUMN: Final = ""
_COMMANDS: Final = ("start", "pause", "stop")
_QUIET: Final[dict[str, Any]] = {"show_progress": "hidden", "api_visibility": "private"}


def build_live(client: UndertoneClient, tab: gr.Tab, folder: Path) -> gr.Timer:
    """Add the contents of `tab` to the Blocks under construction; return the timer that keeps them fresh.

    Files to stream are put into `folder`, where the platform looks for them.
    """
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=260):
            chosen = gr.Dropdown([], label="Stream", elem_id="live-stream")
            with gr.Row():
                commands = [gr.Button(name.capitalize(), min_width=70, elem_id=f"live-{name}") for name in _COMMANDS]
            form, go = _form()
            list_box = gr.HTML("", elem_id="live-list")
        with gr.Column(scale=3, elem_id="live"):
            message = gr.HTML(note(_NONE), elem_id="live-message")
            counts = gr.HTML("", elem_id="live-tiles")
            with gr.Row(equal_height=False):
                ring = gr.HTML("", elem_id="live-ring")
                confusion_box = gr.HTML("", elem_id="live-confusion")
            plot = gr.Plot(show_label=False, visible=False, elem_id="live-plot")
            latest = gr.HTML("", elem_id="live-latest")
    last_shown = gr.State(("", "", 0))
    outputs = [message, counts, ring, confusion_box, plot, latest, list_box, chosen, last_shown]
    watch = _watcher(client)
    timer = gr.Timer(_TICK_S, active=False)
    tab.select(lambda: gr.Timer(active=True), None, timer, **_QUIET)
    for event in (tab.select, timer.tick, chosen.input):
        event(watch, [chosen, last_shown], outputs, **_QUIET)
    start_event = go.click(_starter(client, folder), form, [message, chosen], **_QUIET)
    start_event.then(watch, [chosen, last_shown], outputs, **_QUIET)
    for name, button in zip(_COMMANDS, commands, strict=True):
        button.click(_commander(client, name), chosen, message, **_QUIET).then(
            watch, [chosen, last_shown], outputs, **_QUIET
        )
    return timer


def _form() -> tuple[list[Any], gr.Button]:
    """Add what a new stream is made of, in the order of `_stream_request`."""
    with gr.Accordion("New stream", open=True):
        source = gr.Radio([DEMO, UPLOAD, BLUESKY], value=DEMO, label="Source", elem_id="live-source")
        upload = gr.File(label="CSV, TSV, JSON Lines or Parquet", visible=False, elem_id="live-file", height=110)
        text = gr.Dropdown([], label="Column of texts", visible=False, elem_id="live-text-column")
        columns = [
            gr.Dropdown([], label=f"Column of {what}s", visible=False, elem_id=f"live-{what}-column")
            for what in _GUESSES
        ]
        languages = gr.Textbox(label="Languages", placeholder="en, de", value="en", visible=False, max_lines=1)
        name = gr.Textbox(label="Name", placeholder="the file's name", visible=False, max_lines=1)
        limit = gr.Textbox(label="Number of texts", placeholder="all", max_lines=1, elem_id="live-limit")
        speed = gr.Dropdown(list(SPEEDS), value="86400x", label="Speed", elem_id="live-speed")
        go = gr.Button("Start stream", variant="primary", elem_id="live-go")
    parts = [upload, languages, name, speed, text, *columns]
    source.change(_for_source, source, parts, **_QUIET)
    upload.change(_for_upload, upload, [text, *columns], **_QUIET)
    return [source, upload, text, *columns, languages, name, limit, speed], go


def _for_source(source: str) -> list[Any]:
    """Show the fields that a source has."""
    is_file, is_live = source == UPLOAD, source == BLUESKY
    fields = [gr.update(visible=is_file), gr.update(visible=is_live), gr.update(visible=is_file or is_live)]
    speed = gr.update(visible=not is_live, value="86400x" if source == DEMO else "max")
    return [*fields, speed, *[gr.update(visible=False)] * (1 + len(_GUESSES))]


def _for_upload(path: str | None) -> list[Any]:
    """Show the columns of a file, each with a guess of what it holds."""
    hidden = [gr.update(choices=[], value=None, visible=False)] * (1 + len(_GUESSES))
    if path is None:
        return hidden
    try:
        names = list(uploaded_table(Path(path), "auto", "auto").columns)
    except UndertoneError as exc:
        raise gr.Error(str(exc), print_exception=False) from exc
    text = gr.update(choices=names, value=likely_column(names), visible=True)
    lower = {name.casefold(): name for name in reversed(names)}
    guesses = [next((lower[guess] for guess in each if guess in lower), _NO_COLUMN) for each in _GUESSES.values()]
    return [text, *(gr.update(choices=[_NO_COLUMN, *names], value=guess, visible=True) for guess in guesses)]


def _stream_request(values: Sequence[Any]) -> StreamRequest:
    source, upload, text, *rest = values
    columns, (languages, name, limit, speed) = rest[: len(_GUESSES)], rest[len(_GUESSES) :]
    named = {what: column or "" for what, column in zip(_GUESSES, columns, strict=True)}
    return StreamRequest(source, name or "", limit or "", speed, text or "text", named, languages or "", upload)


def _starter(client: UndertoneClient, folder: Path) -> Callable[..., list[Any]]:
    def run(*values: Any) -> list[Any]:
        """Start the stream that the form describes."""
        try:
            ingest = start(client, folder, _stream_request(values))
        except UndertoneError as exc:
            return [problem(exc), gr.skip()]
        return [state_line(ingest), gr.update(value=ingest["name"], choices=[ingest["name"]])]

    return run


def _commander(client: UndertoneClient, command: str) -> Callable[[str | None], Any]:
    def run(name: str | None) -> Any:
        """Send the command to the stream that is chosen."""
        if not name:
            return note(_NONE)
        try:
            return state_line(client.command_ingest(name, command))
        except UndertoneError as exc:
            return problem(exc)

    return run


def _watcher(client: UndertoneClient) -> Callable[..., list[Any]]:
    """Return what renews the tab; nothing is sent where nothing has changed."""

    def run(name: str | None, last_shown: tuple[str, str, int]) -> list[Any]:
        """Look at the stream, and show what is new."""
        try:
            ingests = client.ingests()
            names = [each["name"] for each in ingests]
            ingest = ingest_of(ingests, name or "") or _liveliest(ingests)
            if ingest is None:
                return [note(_NONE), *[gr.skip()] * 8]
            timeline = timeline_of(client, ingest["name"])
            mark = ingest["name"], f"{timeline['commit']} {ingest}", timeline["total"]
            if mark[:2] == tuple(last_shown[:2]):
                return [gr.skip()] * 9
            stream = look(client, ingest, timeline)
        except UndertoneError as exc:
            return [problem(exc), *[gr.skip()] * 8]
        before = last_shown[2] if last_shown[0] == mark[0] else mark[2]
        plot_update = gr.update(value=over_time(stream.timeline), visible=True) if mark[2] else gr.update(visible=False)
        return [
            state_line(stream.ingest),
            *overview(stream, before),
            confusion_table(stream.labelled),
            plot_update,
            bars(stream) + latest_list(stream.latest),
            streams_list(ingests),
            gr.update(choices=names, value=mark[0]),
            mark,
        ]

    return run


def _liveliest(ingests: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return a stream that runs, else the last one."""
    running = [each for each in ingests if each["state"] in ("running", "starting", "waiting")]
    return next(iter(running), ingests[-1] if ingests else None)
