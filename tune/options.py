"""The options of a search, each declared once: `undertone tune` and its module read the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from train_jobs.runtime.options import Gpus
from train_jobs.train.training_options import Data

_SPACE = "YAML file of the search space, one that ships (dropout, finetune), or itself as JSON."
_SEARCH = "grid, random, asha or optuna (grid if all are choices, else random)."


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """What is searched, how, and what its trials share; --data and --model win over --set, that over --config."""

    space: Annotated[str, typer.Option(help=_SPACE)]
    data: Data = None
    model: Annotated[str | None, typer.Option(help="lstm, cnn, bert-gru, minilm, distilbert, hub or student.")] = None
    search: Annotated[str | None, typer.Option(help=_SEARCH)] = None
    trials: Annotated[int | None, typer.Option(min=1, help="How many trials at most (10; a grid: all its points).")] = (
        None
    )
    concurrent: Annotated[int, typer.Option(min=1, help="Trials at a time.")] = 1
    workers: Annotated[int, typer.Option(min=1, help="Data-parallel workers of a trial.")] = 1
    gpus_per_worker: Gpus = 0
    config: Annotated[str | None, typer.Option(help="YAML file with what all trials share.")] = None
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="FIELD=VALUE that all trials share; repeatable.")
    ] = None
    seed: Annotated[int, typer.Option(help="Seed of what is drawn.")] = 42
    name: Annotated[str | None, typer.Option(help="Name of the search; one that was ended goes on.")] = None
    storage: Annotated[str | None, typer.Option(help="Folder or s3:// address of what it keeps (tune in home).")] = None
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where the best configuration is written (best.yaml).")
    ] = None
