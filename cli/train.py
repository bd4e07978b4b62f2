"""`undertone train`: train a model on a dataset version, here or on a Ray cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.extras import require_train
from cli.platform import Home, Json
from cli.training import Request, run

Data = Annotated[str | None, typer.Option("--data", help="Dataset version to train on, such as tweets@3.")]
Backbone = Annotated[str | None, typer.Option(help="Folder or Hugging Face name of the encoder to start from.")]
Validation = Annotated[str | None, typer.Option(help="Dataset version to validate on; else a tenth is held out.")]
Epochs = Annotated[int | None, typer.Option(help="Times through the data (3).")]
Rate = Annotated[float | None, typer.Option("--learning-rate", help="Peak of the learning rate (1e-4).")]
Config = Annotated[str | None, typer.Option(help="YAML file with the configuration, as a run stores and tune writes.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="FIELD=VALUE of the configuration; repeatable.")]
Name = Annotated[str | None, typer.Option(help="Name of the run; one that was ended is taken up where it was.")]
Storage = Annotated[str | None, typer.Option(help="Folder or s3:// address for checkpoints (runs in home).")]
Workers = Annotated[int, typer.Option(min=1, help="Data-parallel workers.")]
Gpus = Annotated[float, typer.Option("--gpus-per-worker", min=0, help="GPUs of each worker.")]
Register = Annotated[bool, typer.Option("--register", help="Register the version that is made.")]
Address = Annotated[str | None, typer.Option(help="Dashboard of a Ray cluster to run on: http://HOST:8265.")]
WorkingDir = Annotated[str | None, typer.Option(help="Folder of code for the cluster, if not what is installed there.")]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("train")(train)


def train(
    data: Data = None,
    model: Annotated[str | None, typer.Option(help="lstm, cnn, bert-gru, minilm, distilbert, hub or student.")] = None,
    validation: Validation = None,
    backbone: Backbone = None,
    epochs: Epochs = None,
    learning_rate: Rate = None,
    config: Config = None,
    changes: Set = None,
    name: Name = None,
    storage: Storage = None,
    workers: Workers = 1,
    gpus_per_worker: Gpus = 0,
    register_it: Register = False,
    address: Address = None,
    working_dir: WorkingDir = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Train a model; every run is tracked in MLflow, and its best checkpoint becomes a version.

    Example: undertone train --model minilm --data tweets@3 --epochs 3 --register
    """
    require_train()
    named = {"data": data, "model": model, "validation": validation, "backbone": backbone, "epochs": epochs}
    fields = {**named, "learning_rate": learning_rate}
    run(
        Request("train", fields, config, changes or [], name, storage, workers, gpus_per_worker, register_it),
        address=address,
        working_dir=working_dir,
        home=home,
        as_json=as_json,
    )
