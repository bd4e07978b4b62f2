"""Score tables in bulk, without the platform: `undertone score reviews/ --model models:/sentiment/8 --out scored/`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from cli.platform import Home, Json
from cli.ray_log import ray_log_aside
from cli.registry import with_registry
from sentiment.settings import load_settings

if TYPE_CHECKING:
    from train_jobs.scoring.job import Outcome, Totals


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(score)


def score(
    source: Annotated[str, typer.Argument(help="A table or a folder of tables (CSV, JSONL, Parquet), or s3://…")],
    model: Annotated[str, typer.Option("--model", "-m", help="models:/sentiment/8, 8, champion, or a folder.")],
    out: Annotated[str, typer.Option("--out", "-o", help="Folder for the scores, on disk or s3://…")],
    text_column: Annotated[str, typer.Option("--text-column", "-c", help="Column that holds the texts.")] = "text",
    encoding: Annotated[str, typer.Option(help="Encoding of CSV and JSONL files, such as cp1252.")] = "utf-8",
    format: Annotated[str, typer.Option(help="Format of the scores: parquet, jsonl or csv.")] = "parquet",  # noqa: A002
    shard_rows: Annotated[int, typer.Option(min=1, max=100_000, help="Most rows of a shard.")] = 2000,
    least: Annotated[int, typer.Option(min=1, help="Least number of actors.")] = 1,
    most: Annotated[int, typer.Option(min=1, help="Most actors.")] = 2,
    threads: Annotated[int, typer.Option(min=1, help="CPUs of an actor.")] = 1,
    gpus: Annotated[float, typer.Option(min=0, help="GPUs of an actor; 0 runs on CPUs.")] = 0.0,
    overwrite: Annotated[bool, typer.Option(help="Begin anew and replace what is there.")] = False,
    address: Annotated[str | None, typer.Option(help="A running Ray cluster to score on.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Score every row of many files with a model version, straight from its files: the platform need not run.

    All columns are kept; label, score, sentiment, p_negative, p_neutral, p_positive and model_version are added. Scores
    are in OUT/scored, rows that have none in OUT/rejected with the reason, sums in OUT/manifest.json. Killed at any
    moment, the same command continues; every row is scored once.

    Examples:

      undertone score reviews/ --model champion --out scored/

      undertone score s3://bucket/texts --model models:/sentiment/8 --out s3://bucket/scored --format jsonl
    """
    from cli.extras import require_train

    require_train()
    from train_jobs.score import Fleet, job_of, model_at_hand, score

    fleet, console = Fleet(least, most, threads, gpus), Console(stderr=True)
    known = with_registry(load_settings(home=home, address=address))
    with (
        ray_log_aside(known),
        model_at_hand(known, model) as (found, settings),
        _bars(console) as bars,
    ):
        job = job_of(settings, found, source, out, text_column, encoding, format, shard_rows)
        bar = bars.add_task("starting Ray …", total=None)

        def progress(totals: Totals) -> None:
            """Show the sums so far."""
            bars.update(bar, description=f"{totals.rows:,} rows in {totals.shards:,} shards")

        outcome = score(job, found, settings, fleet, progress, overwrite)
    _print_json(outcome) if as_json else _print_summary(outcome, console)


def _bars(console: Console) -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _print_json(outcome: Outcome) -> None:
    sys.stdout.write(json.dumps(outcome.plain()) + "\n")


def _print_summary(outcome: Outcome, console: Console) -> None:
    totals = outcome.totals
    scored = totals.rows - totals.rejected
    table = Table("label", "rows", "share", title=outcome.out, title_justify="left", box=None, padding=(0, 2))
    for label, count in totals.labels.most_common():
        table.add_row(label, f"{count:,}", f"{count / max(scored, 1):.1%}")
    console.print(table)
    console.print(f"{scored:,} rows scored in {totals.shards:,} shards, mean sentiment {totals.mean_sentiment:+.3f}.")
    if outcome.was_finished:
        console.print("Finished earlier; nothing was left to do (--overwrite begins anew).")
    elif outcome.resumed_shards:
        console.print(f"{outcome.resumed_shards:,} of the shards were done by an earlier run.")
    if totals.rejected:
        console.print(f"{totals.rejected:,} rows have no score: {outcome.out}/rejected says which and why.")
