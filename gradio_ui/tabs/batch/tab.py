"""The tab *Batch*: many texts at once, with counts that move, a table, a ring and the result to download."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import gradio as gr

from gradio_ui.charts import donut, progress, tiles
from gradio_ui.messages import note, platform_state, problem, sendable
from gradio_ui.results import results_table
from gradio_ui.tabs.batch.analysis import (
    LARGEST_FILE_MB,
    MOST_TEXTS,
    Analysis,
    Source,
    analyse,
    file_source,
    likely_column,
    lines_source,
    uploaded_table,
    write_downloads,
)
from gradio_ui.tabs.batch.preview import DELIMITER_CHOICES, QUOTING_CHOICES, preview
from sentiment.client.http import UndertoneClient
from sentiment.errors import InvalidInput, UndertoneError
from sentiment.tables import AUTO, ENDINGS, has_text_format

logger = logging.getLogger(__name__)

_SHOWN_REASONS: Final = 5
_START: Final = note("Upload a file or paste some lines, then start the analysis.")
_FILE_LABEL: Final = f"File: CSV, TSV, JSONL, Parquet or Excel, up to {LARGEST_FILE_MB} MB"
#: Files that cannot be read and are taken all the same, to say what to do with them.
_EXPLAINED_ENDINGS: Final = (".zip", ".gz", ".xls", ".xlsm", ".ods", ".json", ".txt")
_FAILED: Final = problem("The analysis failed because of an error in the page; its log has the cause.")


def build_batch(client: UndertoneClient, header: gr.HTML) -> None:
    """Add the tab's contents to the Blocks under construction; `header`, of the page, is renewed after an analysis."""
    before = gr.State(0)
    with gr.Row(equal_height=False):
        with gr.Column(min_width=300):
            file = gr.File(label=_FILE_LABEL, file_types=[*ENDINGS, *_EXPLAINED_ENDINGS], height=150)
            column = gr.Dropdown([], label="Column with the texts", visible=False, elem_id="column")
            with gr.Row(visible=False) as reading:
                delimiter = gr.Dropdown(
                    DELIMITER_CHOICES, value=AUTO, label="Delimiter", elem_id="delimiter", min_width=140
                )
                quoting = gr.Dropdown(QUOTING_CHOICES, value=AUTO, label="Quotes", elem_id="quoting", min_width=140)
        with gr.Column(min_width=300):
            pasted = gr.Textbox(label="Or paste lines, one text each", lines=5, max_lines=12, elem_id="lines")
    first_rows = gr.HTML("", elem_id="preview")
    with gr.Row(equal_height=True):
        number = gr.Textbox(
            label="Number of texts to be analysed",
            placeholder=f"All of them, up to {MOST_TEXTS:,}",
            elem_id="number",
            min_width=240,
        )
        stop = gr.Button("Stop", elem_id="stop", min_width=90, scale=0)
        start = gr.Button("Start analysis", variant="primary", elem_id="start", min_width=200)
    state = gr.HTML(_START, elem_id="state")
    counts = gr.HTML(tiles({}, 0, 0), elem_id="counts")
    with gr.Row(equal_height=False):
        with gr.Column(min_width=260):
            ring = gr.HTML("", elem_id="ring")
        with gr.Column(scale=2, min_width=300):
            table = gr.HTML("", elem_id="results")
            with gr.Row():
                as_csv = gr.DownloadButton("Download CSV", elem_id="csv", visible=False, min_width=140)
                as_parquet = gr.DownloadButton("Download Parquet", elem_id="parquet", visible=False, min_width=140)
    outputs = [state, counts, ring, table, as_csv, as_parquet, before]
    look = [column, reading, first_rows, state]
    quiet = {"show_progress": "hidden", "api_visibility": "private"}
    file.change(look_at_upload, file, [*look, delimiter, quoting], **quiet)
    gr.on([delimiter.input, quoting.input], look_again, [file, column, delimiter, quoting], look, **quiet)
    run = start.click(
        _runner(client),
        [file, column, delimiter, quoting, pasted, number, before],
        outputs,
        show_progress="hidden",
        concurrency_limit=4,
        api_visibility="private",
    )
    run.then(lambda: platform_state(client), None, header, show_progress="hidden", api_visibility="private")
    stop.click(lambda: note("Stopped."), None, state, cancels=[run], queue=False, api_visibility="private")


def look_at_upload(path: str | None) -> tuple[Any, ...]:
    """Return the updates after an upload: those of `look_again`, with delimiter and quotes found from the file."""
    return *look_again(path, None, AUTO, AUTO), AUTO, AUTO


def look_again(path: str | None, column: str | None, delimiter: str, quoting: str) -> tuple[Any, ...]:
    """Return the updates that show a file as read with these options.

    They are the columns to choose from, whether delimiter and quotes can be chosen, the first rows, and the number of
    rows or the error.
    """
    nothing = gr.update(choices=[], value=None, visible=False)
    if path is None:
        return nothing, gr.update(visible=False), "", _START
    has_choice = gr.update(visible=has_text_format(Path(path)))
    try:
        table = uploaded_table(Path(path), delimiter, quoting)
        first_rows = preview(table)
    except UndertoneError as exc:
        return nothing, has_choice, "", problem(exc)
    names = [name for name in table.columns if sendable(name) == name]  # Gradio cannot send the others
    chosen = column if column in names else likely_column(names)
    message = note(f"{table.path.name}: {table.row_count:,} rows.")
    return gr.update(choices=names, value=chosen, visible=True), has_choice, first_rows, message


def _runner(client: UndertoneClient) -> Callable[..., Iterator[list[Any]]]:
    """Return the handler of the button, which yields what the page shows."""

    def run(
        path: str | None, column: str | None, delimiter: str, quoting: str, pasted: str, number: str, before: int
    ) -> Iterator[list[Any]]:
        """Analyse the texts; every error is shown on the page."""
        try:
            source = _source(path, column, delimiter, quoting, pasted)
            yield from _views(client, source, parsed_number(number), before)
        except UndertoneError as exc:
            yield [problem(exc), *[gr.skip()] * 6]
        except Exception:
            logger.exception("an analysis failed")
            yield [_FAILED, *[gr.skip()] * 6]

    return run


def parsed_number(typed: str) -> int | None:
    """Return how many texts are asked for, None for all.

    Raises:
        InvalidInput: it is no whole number from 1 up.
    """
    plain = (typed or "").strip().replace(",", "")
    if not plain:
        return None
    if not plain.isdecimal() or int(plain) < 1:
        raise InvalidInput(f"{typed!r} is not a number of texts: write a whole number from 1 up, or leave it empty.")
    return int(plain)


def _source(path: str | None, column: str | None, delimiter: str, quoting: str, pasted: str) -> Source:
    if path is None:
        return lines_source(pasted or "")
    return file_source(Path(path), column or "", delimiter, quoting)


def _views(client: UndertoneClient, source: Source, number: int | None, before: int) -> Iterator[list[Any]]:
    """Yield what the page shows, from the start to the downloads."""
    yield [progress(0, 1, "Starting…"), tiles({}, 0, 0), "", "", _hidden(), _hidden(), before]
    analysis = None
    for analysis in analyse(client, source, number):
        yield [*_view(analysis, before), _hidden(), _hidden(), before]
    if analysis is None:
        yield [problem("The file has no rows; choose another one."), *[gr.skip()] * 6]
        return
    with tempfile.TemporaryDirectory(prefix="undertone-") as folder:
        csv, parquet = write_downloads(analysis, Path(folder))
        yield [*_view(analysis, before, finished=True), _download(csv), _download(parquet), analysis.tally.rows]


def _view(analysis: Analysis, before: int, finished: bool = False) -> list[Any]:
    """Return progress or summary, tiles, ring and table of an analysis as it is."""
    tally = analysis.tally
    message = _summary(analysis) if finished else progress(tally.rows, analysis.total, _pace(analysis))
    rows = results_table(analysis.results, analysis.source.text_column)
    return [message, tiles(tally.labels, tally.rows, tally.rows - before), donut(tally.labels), rows]


def _pace(analysis: Analysis) -> str:
    """Return how far and how fast it goes, and what is left."""
    rate = analysis.tally.rows / max(analysis.seconds, 1e-6)
    left_s = (analysis.total - analysis.tally.rows) / rate
    return f"{analysis.tally.rows:,} of {analysis.total:,} texts, {rate:,.0f} a second, {left_s:,.0f} s left"


def _summary(analysis: Analysis) -> str:
    tally = analysis.tally
    texts = f"{tally.classified:,} text{'' if tally.classified == 1 else 's'}"
    text = (
        f"{texts} analysed in {analysis.seconds:.1f} s, mean sentiment {tally.mean_sentiment:+.2f}.{_sampled(analysis)}"
    )
    if tally.unsupported:
        reason = "the model cannot read them (another language, or unknown words)"
        text += f" {tally.unsupported:,} count as neutral because {reason}."
    if not tally.rejected:
        return note(text)
    reasons = " ".join(analysis.reasons[:_SHOWN_REASONS])
    more = " …" if tally.rejected > _SHOWN_REASONS else ""
    return note(text) + problem(f"{tally.rejected:,} could not be classified. {reasons}{more}")


def _sampled(analysis: Analysis) -> str:
    """Return the sentence that says so if not all rows were analysed."""
    of = analysis.source.row_count
    return f" A sample: {analysis.total:,} of the {of:,} rows, drawn at random." if analysis.total < of else ""


def _hidden() -> Any:
    return gr.update(value=None, visible=False)


def _download(path: Path) -> Any:
    return gr.update(value=str(path), visible=True)
