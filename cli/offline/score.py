"""Score tables in bulk, without the platform: `undertone score reviews/ --model models:/sentiment/8 --out scored/`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from cli.extras import require_train
from cli.offline.cluster import refuse_unseen, remotely
from cli.stores.registry import with_registry
from cli.terminal import print_table
from sentiment.settings import Settings, load_settings
from train_jobs.runtime.options import CommandOptions, with_options, words_of
from train_jobs.runtime.ray_log import ray_log_aside
from train_jobs.score.options import ScoreOptions

if TYPE_CHECKING:
    from train_jobs.score.job import ScoringResult, Totals


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(with_options(score))


def score(options: ScoreOptions, command: CommandOptions) -> None:
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
    from train_jobs.score.run import actors_of

    actors_of(options)  # refuses wrong numbers before anything is sent
    settings = load_settings(home=command.home)
    if command.address:
        named = [("SOURCE", options.source), ("--model", options.model)]
        refuse_unseen(named, command.address, command.working_dir, [("--out", options.out)])
        outcome = _outcome(remotely("train_jobs.score", words_of(options), command, settings))
    else:
        outcome = _here(with_registry(settings), options, Console(stderr=True))
    _print_json(outcome) if command.as_json else _print_summary(outcome, Console(stderr=True, soft_wrap=True))


def _here(settings: Settings, options: ScoreOptions, console: Console) -> ScoringResult:
    """Score from this process, which drives Ray."""
    from train_jobs.score.run import score_files

    with ray_log_aside(settings), _bars(console) as bars:
        bar = bars.add_task("starting Ray …", total=None)

        def progress(totals: Totals) -> None:
            """Show the sums so far."""
            bars.update(bar, description=f"{totals.rows:,} rows in {totals.shards:,} shards")

        return score_files(settings, options, progress)


def _outcome(values: dict[str, Any]) -> ScoringResult:
    from train_jobs.score.job import ScoringResult

    return ScoringResult.read(values)


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
            f"{totals.unsupported:,} rows count as neutral because the model cannot read them: they are in another "
            "language, or of unknown words."
        )
    if outcome.was_finished:
        console.print("An earlier run has finished this already; nothing was done (--overwrite starts over).")
    elif outcome.resumed_shards:
        console.print(f"{outcome.resumed_shards:,} of the shards were done by an earlier run.")
    for name in outcome.changed:
        console.print(f"{name} has changed since that run and was scored anew.", markup=False, highlight=False)
    if totals.rejected:
        console.print(
            f"{totals.rejected:,} rows could not be scored: see {outcome.out}/rejected for the reasons.", markup=False
        )
    if totals.renamed:
        own = ", ".join(dict.fromkeys(totals.renamed.values()))
        console.print(
            f"Some files have columns named {own} already; there the new ones are {', '.join(totals.renamed)}.",
            markup=False,
            highlight=False,
        )
