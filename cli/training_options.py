"""The options of trainings, each written once: what `train` and `distill` share, and what other commands take of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, Final

import typer

from cli.platform import Home, Json

Data = Annotated[str | None, typer.Option("--data", help="Dataset version to train on, such as tweets@3.")]
Backbone = Annotated[str | None, typer.Option(help="Folder or Hugging Face name of the encoder to start from.")]
Validation = Annotated[str | None, typer.Option(help="Dataset version to validate on; else a tenth is held out.")]
Epochs = Annotated[int | None, typer.Option(help="Times through the data (3; lstm, cnn, bert-gru: 5).")]
Rate = Annotated[
    float | None, typer.Option("--learning-rate", help="Peak of the learning rate (1e-4; lstm, cnn, bert-gru: 1e-3).")
]
Config = Annotated[str | None, typer.Option(help="YAML file with the configuration, as a run stores and tune writes.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="FIELD=VALUE of the configuration; repeatable.")]
Name = Annotated[str | None, typer.Option(help="Name of the run; one that was ended is taken up where it was.")]
Storage = Annotated[str | None, typer.Option(help="Folder or s3:// address for checkpoints (runs in home).")]
Workers = Annotated[int, typer.Option(min=1, help="Data-parallel workers.")]
Gpus = Annotated[float, typer.Option("--gpus-per-worker", min=0, help="GPUs of each worker.")]
Register = Annotated[bool, typer.Option("--register", help="Register the version that is made.")]
Address = Annotated[str | None, typer.Option(help="Dashboard of a Ray cluster to run on: http://HOST:8265.")]
WorkingDir = Annotated[str | None, typer.Option(help="Folder of code for the cluster, if not what is installed there.")]

_OPTIONS: Final = "options"


@dataclass(frozen=True)
class TrainingOptions:
    """What every training can be asked for; a field of the configuration that is None was not given."""

    validation: Validation = None
    backbone: Backbone = None
    epochs: Epochs = None
    learning_rate: Rate = None
    config: Config = None
    changes: Set = None
    name: Name = None
    storage: Storage = None
    workers: Workers = 1
    gpus_per_worker: Gpus = 0
    register_it: Register = False
    address: Address = None
    working_dir: WorkingDir = None
    home: Home = None
    as_json: Json = False

    @property
    def fields(self) -> dict[str, Any]:
        """Fields of the configuration that have an option of their own."""
        return {name: getattr(self, name) for name in ("validation", "backbone", "epochs", "learning_rate")}


def with_training_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return the command as Typer reads it: each field of its parameter `options` is an option, behind its own ones."""
    own = inspect.signature(command, eval_str=True).parameters
    shared = inspect.signature(TrainingOptions, eval_str=True).parameters

    @wraps(command)
    def called(**given: Any) -> None:
        """Gather the fields again."""
        options = TrainingOptions(**{name: given.pop(name) for name in shared})
        command(**given, options=options)

    every = [parameter for name, parameter in own.items() if name != _OPTIONS] + [*shared.values()]
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in every]
    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return called
