"""`undertone train`: train a model on a dataset version, here or on a Ray cluster."""

from __future__ import annotations

import typer

from cli.extras import require_train
from cli.offline.training import run
from train_jobs.runtime.options import with_options
from train_jobs.train.training_options import TrainOptions


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("train")(with_options(train))


def train(options: TrainOptions) -> None:
    """Train a model; every run is tracked in MLflow, and its best checkpoint becomes a version.

    Example: undertone train --model minilm --data tweets@3 --epochs 3 --register
    """
    require_train()
    run("train", options)
