"""The options of a scoring, each declared once: `undertone score` and its module read the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

import typer

from sentiment.tables import AUTO
from train_jobs.runtime.options import Delimiter, QuotingOption

MOST_SHARD_ROWS: Final = 100_000  # all rows of a shard are in memory at once


@dataclass(frozen=True, kw_only=True)
class ScoreOptions:
    """What to score, how its files are read and written, and by how many actors."""

    source: Annotated[str, typer.Argument(help="A table or a folder of tables (CSV, JSONL, Parquet …), or s3://…")]
    model: Annotated[str, typer.Option("--model", "-m", help="models:/sentiment/8, 8, champion, or a folder.")]
    out: Annotated[str, typer.Option("--out", "-o", help="Folder for the scores, on disk or s3://…")]
    text_column: Annotated[str, typer.Option("--text-column", "-c", help="Column that holds the texts.")] = "text"
    encoding: Annotated[str, typer.Option(help="Encoding of CSV and JSONL files, such as cp1252.")] = "utf-8"
    delimiter: Delimiter = AUTO
    quoting: QuotingOption = AUTO
    format: Annotated[str, typer.Option(help="Format of the scores: parquet, jsonl or csv.")] = "parquet"
    shard_rows: Annotated[int, typer.Option(min=1, max=MOST_SHARD_ROWS, help="Most rows of a shard.")] = 2000
    least: Annotated[int, typer.Option(min=1, help="Least number of actors.")] = 1
    most: Annotated[int, typer.Option(min=1, help="Most actors.")] = 2
    threads: Annotated[int, typer.Option(min=1, help="CPUs of an actor.")] = 1
    gpus: Annotated[float, typer.Option(min=0, help="GPUs of an actor; 0 runs on CPUs.")] = 0.0
    overwrite: Annotated[bool, typer.Option(help="Begin anew and replace what is there.")] = False
