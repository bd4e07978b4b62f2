"""The options of trainings, each declared once: `undertone train` and `python -m train_jobs.train` read the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer

from train_jobs.runs.recovery import WAIT_S
from train_jobs.runtime.options import CommandOptions, Config, Gpus, Set, Workers

Data = Annotated[str | None, typer.Option("--data", help="Dataset version to train on, such as tweets@3.")]
Model = Annotated[str | None, typer.Option(help="lstm, cnn, bert-gru, minilm, distilbert, hub or student (minilm).")]
Student = Annotated[str | None, typer.Option("--model", help="The student: a preset, student or another (student).")]
Backbone = Annotated[str | None, typer.Option(help="Folder or Hugging Face name of the encoder to start from.")]
Languages = Annotated[str | None, typer.Option(help="Languages that it reads: en,de or any (those of its start).")]
Validation = Annotated[str | None, typer.Option(help="Dataset version to validate on; else a tenth is held out.")]
Epochs = Annotated[int | None, typer.Option(help="Times through the data (3; lstm, cnn, bert-gru: 5).")]
Rate = Annotated[
    float | None,
    typer.Option("--learning-rate", help="Peak of the learning rate (1e-4; lstm, cnn, bert-gru: 1e-3)."),
]
Teacher = Annotated[str | None, typer.Option(help="models:/NAME/NUMBER, or a folder of a version or a model.")]
Unlabelled = Annotated[str | None, typer.Option(help="JSONL file of further texts (field text), without labels.")]
Mixed = Annotated[int | None, typer.Option(help="Further texts to make of halves of those there are (0).")]
Temperature = Annotated[float | None, typer.Option(help="Temperature of the teacher's and the student's softmax (2).")]
HardWeight = Annotated[float | None, typer.Option(help="Share of the labels in the loss, from 0 to 1 (0.3).")]
HiddenWeight = Annotated[float | None, typer.Option(help="Weight of the states before the last layer (0).")]
Name = Annotated[str | None, typer.Option(help="Name of the run; one that was ended is taken up where it was.")]
Storage = Annotated[str | None, typer.Option(help="Folder or s3:// address for checkpoints (runs in home).")]
Wait = Annotated[float, typer.Option(min=0, help="Minutes to wait for room on a cluster, at the start and later.")]
Register = Annotated[bool, typer.Option("--register", help="Register the version that is made.")]

_DISTILL_FIELDS: Final = ("teacher", "unlabelled", "mixed", "temperature", "hard_weight", "hidden_weight")


@dataclass(frozen=True, kw_only=True)
class TrainingOptions(CommandOptions):
    """The options that all trainings share; None means that an option was not given."""

    validation: Validation = None
    backbone: Backbone = None
    languages: Languages = None
    epochs: Epochs = None
    learning_rate: Rate = None
    config: Config = None
    changes: Set = None
    name: Name = None
    storage: Storage = None
    workers: Workers = 1
    gpus_per_worker: Gpus = 0
    wait: Wait = WAIT_S / 60
    register_it: Register = False

    @property
    def fields(self) -> dict[str, Any]:
        """The configuration fields that have an option of their own, by their dotted names."""
        return {
            name: getattr(self, name) for name in ("validation", "backbone", "languages", "epochs", "learning_rate")
        }


@dataclass(frozen=True, kw_only=True)
class TrainOptions(TrainingOptions):
    """The options of `train`."""

    data: Data = None
    model: Model = None

    @property
    def fields(self) -> dict[str, Any]:
        """The shared fields, the data and the model."""
        return {**super().fields, "data": self.data, "model": self.model}


@dataclass(frozen=True, kw_only=True)
class DistillOptions(TrainingOptions):
    """The options of `distill`."""

    teacher: Teacher = None
    data: Data = None
    model: Student = None
    unlabelled: Unlabelled = None
    mixed: Mixed = None
    temperature: Temperature = None
    hard_weight: HardWeight = None
    hidden_weight: HiddenWeight = None

    @property
    def fields(self) -> dict[str, Any]:
        """The shared fields, the data, the model and the fields of `distill`."""
        distill = {f"distill.{name}": getattr(self, name) for name in _DISTILL_FIELDS}
        return {**super().fields, "data": self.data, "model": self.model, **distill}
