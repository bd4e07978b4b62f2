"""`undertone train`: train a model on a dataset version, here or on a Ray cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.extras import require_train
from cli.training import run
from cli.training_options import Data, TrainingOptions, with_training_options


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("train")(with_training_options(train))


def train(
    options: TrainingOptions,
    data: Data = None,
    model: Annotated[str | None, typer.Option(help="lstm, cnn, bert-gru, minilm, distilbert, hub or student.")] = None,
) -> None:
    """Train a model; every run is tracked in MLflow, and its best checkpoint becomes a version.

    Example: undertone train --model minilm --data tweets@3 --epochs 3 --register
    """
    require_train()
    run("train", {"data": data, "model": model}, options)
