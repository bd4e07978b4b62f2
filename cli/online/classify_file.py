"""Classify a file: `undertone classify-file in.csv --text-column text --out out.parquet`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from cli.online.connection import ApiKey, Url, connect
from cli.options import Delimiter, QuotingOption
from cli.terminal import print_table
from sentiment.client.bulk import BATCH_ROWS, VerdictCounts
from sentiment.client.file_job import FileJob, FileJobResult, run_job
from sentiment.client.http import UndertoneClient
from sentiment.errors import UndertoneError
from sentiment.labels import THREE_CLASSES
from sentiment.tables import AUTO

_ATTEMPTS = 10  # about two minutes of patience with a platform that restarts


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(classify_file)


def classify_file(
    source: Annotated[Path, typer.Argument(help="CSV, TSV, JSONL, Parquet or Excel, told by the ending.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to: the ending tells the format.")],
    text_column: Annotated[str, typer.Option("--text-column", "-c", help="Column that holds the texts.")] = "text",
    encoding: Annotated[str, typer.Option(help="Encoding of a CSV or JSONL file, such as cp1252.")] = "utf-8",
    delimiter: Delimiter = AUTO,
    quoting: QuotingOption = AUTO,
    batch_rows: Annotated[int, typer.Option(min=1, max=1000, help="Rows of one request.")] = BATCH_ROWS,
    overwrite: Annotated[bool, typer.Option(help="Begin anew and replace what is there.")] = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Classify every row of a file into another file.

    All columns are kept; label, score, sentiment, p_negative, p_neutral, p_positive, model_version, language and
    supported (false where the model cannot read the text, and answers neutral for that) are added. Rows
    that cannot be classified go to OUT.rejected.jsonl with their number and the reason (exit status 1 if that is all of
    them). Killed at any moment, the same command continues; OUT.state.json tells it what was done, and stays. The texts
    are kept by the platform like any others, once, however often this runs.

    Texts that a spreadsheet would take for formulas get an apostrophe in front in a CSV file.

    Examples:

      undertone classify-file in.csv --text-column text --out out.parquet

      undertone classify-file export.csv --delimiter semicolon --quoting none --out out.csv

      undertone classify-file tweets.jsonl -c body -o tweets.csv
    """
    job = FileJob(source, out, text_column, encoding, batch_rows, delimiter, quoting)
    console = Console(stderr=True)
    with connect(url, api_key, _ATTEMPTS) as client:
        try:
            outcome = _run(job, client, overwrite, console)
        except (KeyboardInterrupt, UndertoneError):
            if job.answers.exists():
                console.print("Stopped. The rows so far are kept: run the same command again to continue.")
            raise
    _print_summary(job, outcome, Console(stderr=True, soft_wrap=True))
    if outcome.counts.rejected and not outcome.counts.classified:
        raise typer.Exit(1)


def _run(job: FileJob, client: UndertoneClient, overwrite: bool, console: Console) -> FileJobResult:
    """Do the job under a bar with its speed and the time left."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as bars:
        bar = bars.add_task(job.source.name, total=None)

        def progress(counts: VerdictCounts, total: int) -> None:
            """Move the bar to what is done; the first call says where an earlier run was."""
            if bars.tasks[0].total is None:  # what an earlier run did must not count as this one's speed
                bars.reset(bar, total=total, completed=counts.rows)
            bars.update(bar, completed=counts.rows)

        return run_job(job, client, progress, overwrite)


class _Rate(ProgressColumn):
    """The column that tells how many rows a second are done."""

    def render(self, task: Task) -> Text:
        """Return the speed, nothing before there is one."""
        return Text(f"{task.speed:,.0f} rows/s" if task.speed else "", "cyan")


def _print_summary(job: FileJob, outcome: FileJobResult, console: Console) -> None:
    counts = outcome.counts
    table = Table(title=Text(f"{job.target}", "table.title"), title_justify="left", box=None, padding=(0, 2))
    for heading in ("label", "rows", "share"):
        table.add_column(heading, justify="left" if heading == "label" else "right")
    for label in THREE_CLASSES:
        count = counts.labels[label]
        table.add_row(label, f"{count:,}", f"{count / max(counts.classified, 1):.1%}")
    print_table(console, table)
    for line in _remarks(job, outcome):
        console.print(line, markup=False, highlight=False)


def _remarks(job: FileJob, outcome: FileJobResult) -> list[str]:
    """Return what a person should know beside the table, a sentence each."""
    counts = outcome.counts
    versions = ", ".join(map(str, sorted(counts.versions))) or "none"
    mean = f"{counts.mean_sentiment:+.3f}"
    remarks = [f"{_rows(counts.classified)} classified, mean sentiment {mean}, version {versions}."]
    if outcome.description:
        remarks.insert(0, f"{job.source.name}: {outcome.description}.")
    if outcome.was_finished:
        remarks.insert(0, "An earlier run has finished this already; nothing was done (--overwrite starts over).")
    if outcome.resumed_rows:
        remarks.append(f"Continued after row {outcome.resumed_rows:,} of an earlier run.")
    if counts.unsupported:
        remarks.append(
            f"{_rows(counts.unsupported)} counted as neutral because the model cannot read them: another language, "
            "or unknown words (columns language and supported)."
        )
    if counts.rejected:
        remarks.append(f"{_rows(counts.rejected)} could not be classified: see {job.rejected} for the reasons.")
    renamed = [f"{name} as {column}" for name, column in outcome.columns.items() if name != column]
    if renamed:
        remarks.append(
            f"The file already has columns with these names, so the new ones are written {', '.join(renamed)}."
        )
    return remarks


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"
