"""`undertone distill`: train a small student on what a trained teacher says, here or on a Ray cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.extras import require_train
from cli.training import run
from cli.training_options import Data, TrainingOptions, with_training_options

Teacher = Annotated[str | None, typer.Option(help="models:/NAME/NUMBER, or a folder of a version or a model.")]
Unlabelled = Annotated[str | None, typer.Option(help="JSONL file of further texts (field text), without labels.")]
Mixed = Annotated[int | None, typer.Option(help="Further texts to make of halves of those there are (0).")]
Temperature = Annotated[float | None, typer.Option(help="Temperature of the teacher's and the student's softmax (2).")]
HardWeight = Annotated[float | None, typer.Option(help="Share of the labels in the loss, from 0 to 1 (0.3).")]
HiddenWeight = Annotated[float | None, typer.Option(help="Weight of the states before the last layer (0).")]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("distill")(with_training_options(distill))


def distill(
    options: TrainingOptions,
    teacher: Teacher = None,
    data: Data = None,
    model: Annotated[str, typer.Option(help="The student: a preset, student or another.")] = "student",
    unlabelled: Unlabelled = None,
    mixed: Mixed = None,
    temperature: Temperature = None,
    hard_weight: HardWeight = None,
    hidden_weight: HiddenWeight = None,
) -> None:
    """Distil a student from a teacher; tracked, and made a version, as `undertone train` does.

    Example: undertone distill --teacher models:/sentiment/7 --data tweets@3 --unlabelled texts.jsonl
    """
    require_train()
    lesson = {
        "teacher": teacher,
        "unlabelled": unlabelled,
        "mixed": mixed,
        "temperature": temperature,
        "hard_weight": hard_weight,
        "hidden_weight": hidden_weight,
    }
    named = {f"distill.{name}": value for name, value in lesson.items()}
    run("distill", {"data": data, "model": model, **named}, options)
