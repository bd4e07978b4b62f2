"""Score tables in bulk, without the platform: `undertone score reviews/ --model models:/sentiment/8 --out scored/`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from cli.extras import require_train
from cli.offline.cluster import refuse_unseen, remotely
from cli.options import Delimiter, Home, Json, QuotingOption
from cli.stores.registry import with_registry
from cli.terminal import print_table
from sentiment.settings import Settings, load_settings
from sentiment.tables import AUTO
from train_jobs.runtime.options import Address, WorkingDir
from train_jobs.runtime.ray_log import ray_log_aside

if TYPE_CHECKING:
    from train_jobs.score.job import ScoringResult, Totals
    from train_jobs.score.run import ActorPool


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(score)


def score(
    source: Annotated[str, typer.Argument(help="A table or a folder of tables (CSV, JSONL, Parquet …), or s3://…")],
    model: Annotated[str, typer.Option("--model", "-m", help="models:/sentiment/8, 8, champion, or a folder.")],
    out: Annotated[str, typer.Option("--out", "-o", help="Folder for the scores, on disk or s3://…")],
    text_column: Annotated[str, typer.Option("--text-column", "-c", help="Column that holds the texts.")] = "text",
    encoding: Annotated[str, typer.Option(help="Encoding of CSV and JSONL files, such as cp1252.")] = "utf-8",
    delimiter: Delimiter = AUTO,
    quoting: QuotingOption = AUTO,
    format: Annotated[str, typer.Option(help="Format of the scores: parquet, jsonl or csv.")] = "parquet",  # noqa: A002
    shard_rows: Annotated[int, typer.Option(min=1, max=100_000, help="Most rows of a shard.")] = 2000,
    least: Annotated[int, typer.Option(min=1, help="Least number of actors.")] = 1,
    most: Annotated[int, typer.Option(min=1, help="Most actors.")] = 2,
    threads: Annotated[int, typer.Option(min=1, help="CPUs of an actor.")] = 1,
    gpus: Annotated[float, typer.Option(min=0, help="GPUs of an actor; 0 runs on CPUs.")] = 0.0,
    overwrite: Annotated[bool, typer.Option(help="Begin anew and replace what is there.")] = False,
    address: Address = None,
    working_dir: WorkingDir = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Score every row of many files with a model version, straight from its files: the platform need not run.

    All columns are kept; label, score, sentiment, p_negative, p_neutral, p_positive, model_version, language and
    supported (false where the model cannot read the text, and answers neutral for that) are added. Scores
    are in OUT/scored, rows that have none in OUT/rejected with the reason, sums in OUT/manifest.json. Killed at any
    moment, the same command continues; every row is scored once.

    Examples:

      undertone score reviews/ --model champion --out scored/

      undertone score s3://bucket/texts --model models:/sentiment/8 --out s3://bucket/scored --format jsonl
    """
    require_train()
    from train_jobs.score.run import ActorPool

    fleet, console = ActorPool(least, most, threads, gpus), Console(stderr=True)
    columns = (text_column, encoding, format, shard_rows, delimiter, quoting)
    if address:
        refuse_unseen([("SOURCE", source), ("--model", model)], address, working_dir, [("--out", out)])
        arguments = _arguments(source, model, out, columns, fleet, overwrite)
        found = remotely("train_jobs.score", arguments, address, load_settings(home=home), working_dir)
        outcome = _outcome(found)
    else:
        outcome = _here(with_registry(load_settings(home=home)), source, model, out, columns, fleet, overwrite, console)
    _print_json(outcome) if as_json else _print_summary(outcome, Console(stderr=True, soft_wrap=True))


def _here(
    known: Settings,
    source: str,
    model: str,
    out: str,
    columns: tuple[str, str, str, int, str, str],
    fleet: ActorPool,
    overwrite: bool,
    console: Console,
) -> ScoringResult:
    """Score from this process, which drives Ray."""
    from train_jobs.score.run import job_of, model_at_hand, score

    with (
        ray_log_aside(known),
        model_at_hand(known, model) as (found, settings),
        _bars(console) as bars,
    ):
        job = job_of(settings, found, source, out, *columns)
        bar = bars.add_task("starting Ray …", total=None)

        def progress(totals: Totals) -> None:
            """Show the sums so far."""
            bars.update(bar, description=f"{totals.rows:,} rows in {totals.shards:,} shards")

        return score(job, found, settings, fleet, progress, overwrite)


def _arguments(
    source: str, model: str, out: str, columns: tuple[str, str, str, int, str, str], fleet: ActorPool, overwrite: bool
) -> list[str]:
    """Return the command line of the job for a cluster."""
    names = ("--text-column", "--encoding", "--format", "--shard-rows", "--delimiter", "--quoting")
    options = dict(zip(names, columns, strict=True))
    options |= {f"--{name}": value for name, value in asdict(fleet).items()}
    words = [word for option, value in options.items() for word in (option, str(value))]
    return [source, "--model", model, "--out", out, *words, *(["--overwrite"] if overwrite else [])]


def _outcome(found: dict[str, Any]) -> ScoringResult:
    from train_jobs.score.job import ScoringResult

    return ScoringResult.read(found)


def _bars(console: Console) -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _print_json(outcome: ScoringResult) -> None:
    sys.stdout.write(json.dumps(outcome.plain()) + "\n")


def _print_summary(outcome: ScoringResult, console: Console) -> None:
    totals = outcome.totals
    scored = totals.rows - totals.rejected
    table = Table(
        "label", "rows", "share", title=Text(outcome.out, "table.title"), title_justify="left", box=None, padding=(0, 2)
    )
    for label, count in totals.labels.most_common():
        table.add_row(label, f"{count:,}", f"{count / max(scored, 1):.1%}")
    print_table(console, table)
    console.print(f"{scored:,} rows scored in {totals.shards:,} shards, mean sentiment {totals.mean_sentiment:+.3f}.")
    if totals.unsupported:
        console.print(
            f"{totals.unsupported:,} rows are neutral without being read: in another language, or of unknown words."
        )
    if outcome.was_finished:
        console.print("Finished earlier; nothing was left to do (--overwrite begins anew).")
    elif outcome.resumed_shards:
        console.print(f"{outcome.resumed_shards:,} of the shards were done by an earlier run.")
    for name in outcome.changed:
        console.print(f"{name} has changed since that run and was scored anew.", markup=False, highlight=False)
    if totals.rejected:
        console.print(
            f"{totals.rejected:,} rows have no score: {outcome.out}/rejected says which and why.", markup=False
        )
    if totals.renamed:
        own = ", ".join(dict.fromkeys(totals.renamed.values()))
        console.print(
            f"Where a file has a column of its own of the name ({own}), ours is {', '.join(totals.renamed)} there.",
            markup=False,
            highlight=False,
        )
