"""`undertone evaluate`: figures, slices, behaviour and speed of a model version, here or on a Ray cluster."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from cli.extras import require_train
from cli.offline.cluster import refuse_local, refuse_unseen, remotely
from cli.options import Home, Json
from cli.stores.registry import with_registry
from sentiment.settings import Settings, load_settings
from train_jobs.runtime.options import Address, WorkingDir

errors = Console(stderr=True, soft_wrap=True)

Engine = Literal["auto", "onnx-int8", "onnx", "torch"]
Threads = Annotated[int, typer.Option(min=1, help="Threads of the predictor.")]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(evaluate)


def evaluate(
    model: Annotated[str, typer.Argument(help="models:/sentiment/8, 8, champion, or a version's folder.")],
    data: Annotated[str, typer.Option("--data", "-d", help="Dataset version, such as tweets-test@1.")],
    slices: Annotated[bool, typer.Option("--slices", help="By length, negation, emoji, source and language.")] = False,
    against: Annotated[str | None, typer.Option(help="Another version, compared on the same texts.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write an HTML report to this file.")] = None,
    cases: Annotated[int, typer.Option(min=0, help="Most cases of each behaviour test; 0 leaves them out.")] = 100,
    performance: Annotated[bool, typer.Option(help="Measure speed and memory.")] = True,
    engine: Annotated[Engine, typer.Option(help="Engine to evaluate.")] = "auto",
    threads: Threads = 2,
    seed: Annotated[int, typer.Option(help="Seed of behaviour tests and bootstrap.")] = 0,
    track: Annotated[bool, typer.Option(help="Record the run and its report in MLflow.")] = True,
    address: Address = None,
    working_dir: WorkingDir = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Evaluate a model version on a dataset version.

    Examples:

      undertone evaluate models:/sentiment/8 --data tweets-test@1 --slices --against models:/sentiment/7

      undertone evaluate build/student/version --data tweets-test --report report.html
    """
    require_train()
    settings = load_settings(home=home)
    arguments = [model, "--data", data, "--cases", str(cases), "--engine", engine]
    arguments += ["--threads", str(threads), "--seed", str(seed)]
    arguments += ["--slices"] if slices else []
    arguments += ["--against", against] if against else []
    arguments += [] if performance else ["--no-performance"]
    arguments += [] if track else ["--no-track"]
    if address:
        refuse_local(report, "--report")
        refuse_unseen([("MODEL", model), ("--against", against)], address, working_dir)
        show(remotely("train_jobs.evaluate", arguments, address, settings, working_dir), as_json)
        return
    show(_here(with_registry(settings), arguments, report, track), as_json)


def show(outcome: dict[str, Any], as_json: bool) -> None:
    """Print an outcome: its summary, or with `--json` what was found as one line."""
    if as_json:
        sys.stdout.write(json.dumps({**outcome["result"], "run_id": outcome["run_id"]}) + "\n")
        return
    sys.stdout.write(f"{outcome['summary']}\n")
    if outcome["run_id"]:
        errors.print(f"Recorded in MLflow as run {outcome['run_id']}.", highlight=False)


def _here(settings: Settings, arguments: Sequence[str], report: Path | None, track: bool) -> dict[str, Any]:
    """Evaluate on this machine."""
    from train_jobs.evaluate import config_of, evaluate_and_keep, parser

    config = config_of(parser().parse_args(list(arguments)))
    with errors.status("Evaluating …") as shown:

        def on_step(step: str) -> None:
            """Show the step that is under way."""
            shown.update(f"{step[:1].upper()}{step[1:]} …")

        outcome = evaluate_and_keep(settings, config, report=report, track=track, on_step=on_step)
    if report:
        errors.print(f"Report: {report}", markup=False, highlight=False)
    return outcome
