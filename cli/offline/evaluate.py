"""`undertone evaluate`: figures, slices, behaviour and speed of a model version, here or on a Ray cluster."""

from __future__ import annotations

import json
import sys
from typing import Any

import typer
from rich.console import Console

from cli.extras import require_train
from cli.offline.cluster import refuse_local, refuse_unseen, remotely
from cli.stores.registry import with_registry
from sentiment.settings import Settings, load_settings
from train_jobs.evaluate_options import EvaluateOptions
from train_jobs.runtime.options import CommandOptions, with_options, words_of

errors = Console(stderr=True, soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(with_options(evaluate))


def evaluate(options: EvaluateOptions, command: CommandOptions) -> None:
    """Evaluate a model version on a dataset version.

    Examples:

      undertone evaluate models:/sentiment/8 --data tweets-test@1 --slices --against models:/sentiment/7

      undertone evaluate build/student/version --data tweets-test --report report.html
    """
    require_train()
    settings = load_settings(home=command.home)
    if command.address:
        refuse_local(options.report, "--report")
        named = [("MODEL", options.model), ("--against", options.against)]
        refuse_unseen(named, command.address, command.working_dir)
        outcome = remotely("train_jobs.evaluate", words_of(options), command, settings)
    else:
        outcome = _here(with_registry(settings), options)
    show(outcome, command.as_json)


def show(outcome: dict[str, Any], as_json: bool) -> None:
    """Print an outcome: its summary, or with `--json` what was found as one line."""
    if as_json:
        sys.stdout.write(json.dumps({**outcome["result"], "run_id": outcome["run_id"]}) + "\n")
        return
    sys.stdout.write(f"{outcome['summary']}\n")
    if outcome["run_id"]:
        errors.print(f"Recorded in MLflow as run {outcome['run_id']}.", highlight=False)


def _here(settings: Settings, options: EvaluateOptions) -> dict[str, Any]:
    """Evaluate on this machine."""
    from train_jobs.evaluate import config_of, evaluate_and_keep

    report = options.report
    with errors.status("Evaluating …") as shown:

        def on_step(step: str) -> None:
            """Show the step that is under way."""
            shown.update(f"{step[:1].upper()}{step[1:]} …")

        outcome = evaluate_and_keep(settings, config_of(options), report=report, track=options.track, on_step=on_step)
    if report:
        errors.print(f"Report: {report}", markup=False, highlight=False)
    return outcome
