"""The options of an evaluation, each declared once: `undertone evaluate` and its module read the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

Engine = Literal["auto", "onnx-int8", "onnx", "torch"]


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """What to evaluate and how."""

    model: Annotated[str, typer.Argument(help="models:/sentiment/8, 8, champion, or a version's folder.")]
    data: Annotated[str, typer.Option("--data", "-d", help="Dataset version, such as tweets-test@1.")]
    slices: Annotated[bool, typer.Option("--slices", help="By length, negation, emoji, source and language.")] = False
    against: Annotated[str | None, typer.Option(help="Another version, compared on the same texts.")] = None
    report: Annotated[Path | None, typer.Option(help="Write an HTML report to this file.")] = None
    cases: Annotated[int, typer.Option(min=0, help="Most cases of each behaviour test; 0 leaves them out.")] = 100
    performance: Annotated[bool, typer.Option(help="Measure speed and memory.")] = True
    engine: Annotated[Engine, typer.Option(help="Engine to evaluate.")] = "auto"
    threads: Annotated[int, typer.Option(min=1, help="Threads of the predictor.")] = 2
    seed: Annotated[int, typer.Option(help="Seed of behaviour tests and bootstrap.")] = 0
    track: Annotated[bool, typer.Option(help="Record the run and its report in MLflow.")] = True
