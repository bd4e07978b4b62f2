"""`undertone distill`: train a small student on what a trained teacher says, here or on a Ray cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.extras import require_train
from cli.platform import Home, Json
from cli.train import (
    Address,
    Backbone,
    Config,
    Data,
    Epochs,
    Gpus,
    Name,
    Rate,
    Register,
    Set,
    Storage,
    Validation,
    Workers,
    WorkingDir,
)
from cli.training import Request, run

Teacher = Annotated[str | None, typer.Option(help="models:/NAME/NUMBER, or a folder of a version or a model.")]
Unlabelled = Annotated[str | None, typer.Option(help="JSONL file of further texts (field text), without labels.")]
Temperature = Annotated[float | None, typer.Option(help="Temperature of the teacher's and the student's softmax (2).")]
HardWeight = Annotated[float | None, typer.Option(help="Share of the labels in the loss, from 0 to 1 (0.3).")]
HiddenWeight = Annotated[float | None, typer.Option(help="Weight of the states before the last layer (0).")]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("distill")(distill)


def distill(
    teacher: Teacher = None,
    data: Data = None,
    model: Annotated[str, typer.Option(help="The student: a preset, student or another.")] = "student",
    unlabelled: Unlabelled = None,
    temperature: Temperature = None,
    hard_weight: HardWeight = None,
    hidden_weight: HiddenWeight = None,
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
    """Distil a student from a teacher; tracked, and made a version, as `undertone train` does.

    Example: undertone distill --teacher models:/sentiment/7 --data tweets@3 --unlabelled texts.jsonl
    """
    require_train()
    fields = {
        "data": data,
        "model": model,
        "validation": validation,
        "backbone": backbone,
        "epochs": epochs,
        "learning_rate": learning_rate,
        "distill.teacher": teacher,
        "distill.unlabelled": unlabelled,
        "distill.temperature": temperature,
        "distill.hard_weight": hard_weight,
        "distill.hidden_weight": hidden_weight,
    }
    run(
        Request("distill", fields, config, changes or [], name, storage, workers, gpus_per_worker, register_it),
        address=address,
        working_dir=working_dir,
        home=home,
        as_json=as_json,
    )
