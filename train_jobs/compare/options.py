"""The options of a comparison, each declared once: `undertone compare` and its module read the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from train_jobs.runtime.options import Config, Gpus, Set, Workers


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """What to compare and how each model is trained."""

    data: Annotated[str, typer.Option("--data", "-d", help="Dataset version to train on, such as reviews@1.")]
    models: Annotated[str, typer.Option(help="Presets to train: lstm,cnn,bert-gru,distilbert,student.")] = ""
    versions: Annotated[str, typer.Option(help="Versions that there are: folders or models:/NAME/NUMBER.")] = ""
    validation: Annotated[str | None, typer.Option(help="Dataset version to choose on.")] = None
    test: Annotated[str | None, typer.Option(help="Dataset version to test on; else a tenth.")] = None
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs of every model.")] = None
    config: Config = None
    changes: Set = None
    workers: Workers = 1
    gpus_per_worker: Gpus = 0
    threads: Annotated[int, typer.Option(min=1, help="Threads of training on a CPU, and of measuring.")] = 2
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for table and plots (in home).")] = None
