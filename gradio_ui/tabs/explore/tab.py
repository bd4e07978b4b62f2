"""The tab *Explore*: its parts, and what happens when a person types, clicks or brushes."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from pathlib import Path
from typing import Any, Final

import gradio as gr

from gradio_ui.charts import progress
from gradio_ui.messages import note, problem
from gradio_ui.tabs.explore.demo import load_demo
from gradio_ui.tabs.explore.plots import graph, timelines
from gradio_ui.tabs.explore.searching import (
    BUCKETS,
    MOST_SEARCHES,
    ORDERS,
    Explored,
    Form,
    completions,
    explore,
    links_between,
)
from gradio_ui.tabs.explore.views import as_csv, completion_list, facet_bars, summary, terms_list, texts_list
from gradio_ui.tabs.explore.why import build_why
from sentiment.client.http import UndertoneClient
from sentiment.errors import UndertoneError
from sentiment.language.names import name_of as language_name

logger = logging.getLogger(__name__)
_HINT: Final = (
    'Words side by side must all occur; also: "a phrase", #topic, or, not, brackets, near(3, a b), tone < -0.5, '
    "label:negative, source:, lang:, author:, version:."
)
#: A platform with fewer texts is a new one: its own start has sent one.
_FEW_TEXTS: Final = 20
_EMPTY: Final = (
    "There are hardly any texts yet. Load the demonstration (2,000 posts of eight weeks in a town that does not "
    "exist), or send your own: classify texts here, with `undertone ingest`, or over HTTP."
)
_NO_MATCH: Final = "No text matches in this span."
_FAILED: Final = "Something went wrong on this page; its log says what. Try again."
_TO_LINK: Final = "(link) => { if (link) history.replaceState(null, '', '?' + link) }"
#: Puts what the browser tells, as `bridge.js` left it, in the place of the first input.
_BROWSER_EVENT: Final = "(...values) => [window.undertoneTold, ...values.slice(1)]"
_BRIDGE: Final = Path(__file__).with_name("bridge.js").read_text(encoding="utf-8")
_QUIET: Final[dict[str, Any]] = {"show_progress": "hidden", "api_visibility": "private"}


@dataclass(frozen=True)
class _Parts:
    """What a person fills in, in the order of `Form`; and what the page shows."""

    form: Sequence[Any]
    message: gr.HTML
    demo: gr.Button
    tiles: gr.HTML
    plot: gr.Plot
    terms: gr.HTML
    texts: gr.HTML
    as_csv: gr.DownloadButton
    as_json: gr.DownloadButton
    link: gr.Textbox
    state: gr.State

    @property
    def results(self) -> list[Any]:
        """All that an answer changes, in the order of `_shown`."""
        shown = [self.message, self.demo, self.tiles, self.plot, self.terms, self.texts]
        return [*shown, self.as_csv, self.as_json, self.link, self.state]


def build_explore(client: UndertoneClient, page: gr.Blocks, tabs: gr.Tabs, tab: gr.Tab, folder: Path) -> None:
    """Add the contents of `tab` to the Blocks under construction; a link with `tab=explore` opens it and searches.

    The demonstration is put into `folder`, where the platform looks for files.
    """
    with gr.Column(elem_id="explore"):
        with gr.Row(equal_height=False, elem_id="explore-row"):
            query = gr.Textbox(label="Search", placeholder="climate and (flood or fire)", max_lines=1, scale=6)
            start = gr.Button("Search", variant="primary", elem_id="explore-search", min_width=120, scale=1)
        gr.HTML(f'<p class="small">{escape(_HINT)}</p>')
        completion_box = gr.HTML("", elem_id="explore-completions")
        parts = _results([query, *_choices()])
        build_why(client, parts.state, query)
        with gr.Accordion("Related words as a graph", open=False) as graph_section:
            graph_plot = gr.Plot(show_label=False, elem_id="explore-graph")
        browser_event = gr.Textbox(elem_classes="bridge", show_label=False, container=False)
        add, complete, brush = (
            partial(gr.Button(elem_id=name, elem_classes="bridge").click, js=_BROWSER_EVENT)
            for name in ("explore-add", "explore-completed", "explore-brush")
        )
    search = _Search(client, parts)
    for event in (start.click, query.submit, parts.form[-1].input):
        search.after(event)
    search.after(tab.select, _unless_done, [parts.state])
    quiet = {"trigger_mode": "always_last", **_QUIET}
    query.input(lambda typed: completion_list(completions(client, typed)), query, completion_box, **quiet)
    search.after(add(_added, [browser_event, *parts.form], parts.form, **_QUIET).then)
    search.after(brush(_brushed, [browser_event, parts.state, *parts.form], parts.form, **_QUIET).then)
    complete(_completed, [browser_event, *parts.form], [completion_box, *parts.form], **_QUIET)
    loaded = parts.demo.click(_demo_loader(client, folder), None, [parts.message, *parts.form], **_QUIET)
    search.after(loaded.success)
    search.after(page.load(_from_link, None, [tabs, *parts.form], **_QUIET).then, _if_linked)
    graph_section.expand(_grapher(client), parts.state, graph_plot, show_progress="minimal", api_visibility="private")
    page.load(None, None, None, js=_BRIDGE)


def _choices() -> list[Any]:
    """Add what narrows a search: others to compare with, the span, the bucket, and the zone."""
    with gr.Accordion("Compare, span and zone", open=True), gr.Row():
        others = gr.Dropdown(
            [],
            label=f"Compare with (up to {MOST_SEARCHES - 1})",
            multiselect=True,
            allow_custom_value=True,
            max_choices=MOST_SEARCHES - 1,
            min_width=240,
            scale=3,
            elem_id="explore-others",
        )
        begin = gr.Textbox(label="From", placeholder="2026-03-01", max_lines=1, min_width=130)
        end = gr.Textbox(label="To", placeholder="2026-04-30", max_lines=1, min_width=130)
        bucket = gr.Dropdown(list(BUCKETS), value=BUCKETS[0], label="By", min_width=90)
        zone = gr.Textbox(label="Time zone", placeholder="UTC", max_lines=1, min_width=130)
    return [others, begin, end, bucket, zone]


def _results(form: Sequence[Any]) -> _Parts:
    """Add what an answer shows; the order of the texts, which is the form's last field, stands above them."""
    message = gr.HTML("", elem_id="explore-message")
    demo = gr.Button("Load the demonstration", visible=False, elem_id="explore-demo")
    tiles = gr.HTML("", elem_id="explore-tiles")
    plot = gr.Plot(show_label=False, elem_id="explore-plot", visible=False)
    with gr.Row(equal_height=False):
        with gr.Column(scale=2):
            terms = gr.HTML("", elem_id="explore-terms")
        with gr.Column(scale=3):
            order = gr.Radio(list(ORDERS), value=ORDERS[0], show_label=False, label="Order", elem_id="explore-order")
            texts = gr.HTML("", elem_id="explore-texts")
    with gr.Row():
        csv_button = gr.DownloadButton("Download CSV", elem_id="explore-csv", visible=False, min_width=140)
        json_button = gr.DownloadButton("Download JSON", elem_id="explore-json", visible=False, min_width=140)
    return _Parts(
        [*form, order],
        message,
        demo,
        tiles,
        plot,
        terms,
        texts,
        csv_button,
        json_button,
        gr.Textbox(elem_id="explore-link", elem_classes="bridge", show_label=False, container=False),
        gr.State(None),
    )


def _form(values: Sequence[Any]) -> Form:
    query, others, begin, end, bucket, zone, order = values
    return Form(query or "", tuple(others or ()), begin or "", end or "", bucket, zone or "", order)


def _fields(form: Form) -> list[Any]:
    others = gr.update(value=list(form.others), choices=list(form.others))
    return [form.query, others, form.begin, form.end, form.bucket, form.zone, form.order]


class _Search:
    """Searches with what the form holds; whatever goes wrong is said on the page."""

    def __init__(self, client: UndertoneClient, parts: _Parts) -> None:
        self._client, self._parts = client, parts

    def after(self, event: Any, only_if: Callable[..., bool] | None = None, more: Sequence[Any] = ()) -> None:
        """Search on an event, if `only_if` agrees, which is given the values of `more` and of the form."""

        def run(*values: Any) -> Iterator[list[Any]]:
            """Search, and keep the downloads until Gradio has copied them."""
            if only_if is not None and not only_if(*values):
                yield [gr.skip()] * len(self._parts.results)
                return
            with tempfile.TemporaryDirectory(prefix="undertone-") as folder:  # Gradio copies what is yielded
                yield self._answer(_form(values[len(more) :]), Path(folder))

        done = event(run, [*more, *self._parts.form], self._parts.results, **_QUIET)
        done.then(None, self._parts.link, None, js=_TO_LINK)

    def _answer(self, form: Form, folder: Path) -> list[Any]:
        unchanged = [gr.skip()] * (len(self._parts.results) - 2)
        try:
            return _shown(explore(self._client, form), folder)
        except UndertoneError as exc:
            return [problem(exc), *unchanged, None]
        except Exception:
            logger.exception("a search failed")
            return [problem(_FAILED), *unchanged, None]


def _shown(explored: Explored, folder: Path) -> list[Any]:
    first = explored.first
    is_new = first["total"] < _FEW_TEXTS and explored.form.queries == ("",) and not explored.form.begin
    message = _EMPTY if is_new else ("" if any(each["total"] for each in explored.series) else _NO_MATCH)
    return [
        note(message) if message else "",
        gr.update(visible=is_new),
        summary(explored),
        gr.update(value=timelines(explored.series), visible=True) if first["points"] else gr.update(visible=False),
        terms_list(explored.terms)
        + facet_bars("Sources", explored.sources)
        + facet_bars("Languages", explored.languages, language_name),
        texts_list(explored.texts, first["tz"]),
        *_downloads(explored, folder),
        explored.form.link,
        explored,
    ]


def _downloads(explored: Explored, folder: Path) -> list[Any]:
    """Write what can be downloaded into a folder."""
    table, data = folder / "undertone-timelines.csv", folder / "undertone-search.json"
    table.write_text(as_csv(explored), encoding="utf-8")
    answers = {"series": explored.series, "share": explored.share, "terms": explored.terms, "texts": explored.texts}
    data.write_text(json.dumps(answers, ensure_ascii=False, indent=2), encoding="utf-8")
    return [gr.DownloadButton(value=str(path), visible=True) for path in (table, data)]


def _unless_done(state: Explored | None, *_: Any) -> bool:
    """Say whether nothing was searched for yet, as when the tab is opened for the first time."""
    return state is None


def _if_linked(*values: Any) -> bool:
    """Say whether the page was opened by a link to a search."""
    return _form(values) != Form()


def _from_link(request: gr.Request) -> list[Any]:
    """Fill the form from the link."""
    link = dict(request.query_params)
    if link.get("tab") != "explore":
        return [gr.skip()] * 8
    return [gr.Tabs(selected="explore"), *_fields(Form.of(link))]


def _added(browser_event: str, *values: Any) -> list[Any]:
    """Add the related word that was clicked."""
    clicked = json.loads(browser_event)
    return _fields(_form(values).adding(str(clicked["term"]), str(clicked["kind"])))


def _completed(browser_event: str, *values: Any) -> list[Any]:
    """Put the completion that was clicked in the place of the word that was being typed, and hide the others."""
    clicked, form = json.loads(browser_event), _form(values)
    kept_words = form.query[: len(form.query) - len(form.query.split()[-1])] if form.query.split() else ""
    word = f'topic:"{clicked["term"]}"' if clicked["kind"] == "topic" else str(clicked["term"])
    return ["", *_fields(replace(form, query=f"{kept_words}{word} "))]


def _brushed(browser_event: str, state: Explored | None, *values: Any) -> list[Any]:
    """Take the stretch of time that was drawn on the plot, or all of it after a double click."""
    brush, form = json.loads(browser_event), _form(values)
    if state is None or brush.get("whole"):
        return _fields(replace(form, begin="", end=""))
    return _fields(form.brushed(str(brush["first"]), str(brush["last"]), state.first))


def _grapher(client: UndertoneClient) -> Any:
    def draw(state: Explored | None) -> Any:
        """Draw the related words of what was searched for last."""
        if state is None or not state.terms:
            return None
        try:
            links = links_between(client, state.form, state.terms)
        except UndertoneError:
            links = []
        return graph(state.form.query, state.terms, links)

    return draw


def _demo_loader(client: UndertoneClient, folder: Path) -> Any:
    def load() -> Iterator[list[Any]]:
        """Load the demonstration under a bar, and search for it."""
        try:
            for name, kept, of in load_demo(client, folder):
                yield [progress(kept, of, f"{kept:,} of {of:,} texts…"), *_fields(Form(f"source:{name}"))]
        except UndertoneError as exc:
            raise gr.Error(str(exc), print_exception=False) from exc

    return load
