"""`undertone distill`: train a small student on what a trained teacher says, here or on a Ray cluster."""

from __future__ import annotations

import typer

from cli.extras import require_train
from cli.offline.training import run
from train_jobs.runtime.options import with_options
from train_jobs.train.training_options import DistillOptions


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("distill")(with_options(distill))


def distill(options: DistillOptions) -> None:
    """Distil a student from a teacher; tracked, and made a version, as `undertone train` does.

    Example: undertone distill --teacher models:/sentiment/7 --data tweets@3 --unlabelled texts.jsonl
    """
    require_train()
    run("distill", options)
