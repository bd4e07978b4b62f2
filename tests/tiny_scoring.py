"""Small tables to score, and the job that scores them without Ray."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sentiment.registry import ResolvedModel
from sentiment.settings import Settings
from sentiment.tables import write_table
from train_jobs.runtime.locations import InputFile
from train_jobs.score.job import ScoreJob
from train_jobs.score.options import ScoreOptions
from train_jobs.score.run import job_of
from train_jobs.score.shards import ScoringRules

ROWS = [
    {"id": 1, "text": "I love this phone"},
    {"id": 2, "text": "the worst day"},
    {"id": 3, "text": "   "},
    {"id": 4, "text": "the crash is at 10"},
    {"id": 5, "text": "good " * 40},
    {"id": 6, "text": 'nice "best",\n love'},
    {"id": 7, "text": None},
]
ONE = [InputFile("texts", 1, 1)]
SCORING = ScoringRules("text", 100, 8)


def table(path: Path, rows: list[dict[str, Any]] = ROWS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(path, {"id": "integer", "text": "string"}, rows)
    return path


def job_in(tmp_path: Path, **options: Any) -> ScoreJob:
    model = ResolvedModel(tmp_path / "model", "sentiment", "d" * 64, 8)
    return job_of(Settings(home=tmp_path), model, options_in(tmp_path, **options))


def options_in(tmp_path: Path, **options: Any) -> ScoreOptions:
    """Return the options of a scoring of the folder `in` into `out`."""
    places = {"source": str(tmp_path / "in"), "out": str(tmp_path / "out")}
    return ScoreOptions(**{"model": "models:/sentiment/8", **places, **options})
