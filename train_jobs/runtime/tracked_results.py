"""Evaluations and comparisons as runs in MLflow: figures as metrics, reports, tables and pictures as files."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sentiment.evaluation.comparison import Comparison
from sentiment.evaluation.evaluation import Evaluation
from sentiment.evaluation.report import render_report
from sentiment.registry.tracking import Run, Tracker, ended
from train_jobs.compare.splits import SplitVersions

EXPERIMENT: Final = "undertone-evaluation"
_MIB: Final = 1 << 20
_NO_NAME: Final = re.compile(r"[^\w\-./ :]", re.ASCII)


def track_evaluation(uri: str, evaluation: Evaluation, settings: Mapping[str, Any]) -> str:
    """Record an evaluation with its report at the MLflow server `uri`, and return the run's id.

    Raises:
        RegistryUnavailable: the server does not answer.
    """
    tags = {
        "kind": "evaluation",
        "dataset": evaluation.data.ref,
        "dataset_digest": evaluation.data.digest,
        "model": evaluation.subject.ref,
        "model_digest": evaluation.subject.digest,
    }
    with _tracked(uri, f"evaluate {evaluation.subject.ref}", settings, tags) as run:
        run.log(dict(_metrics(evaluation)), 0)
        with tempfile.TemporaryDirectory(prefix="undertone-report-") as folder:
            report, plain = Path(folder, "report.html"), Path(folder, "evaluation.json")
            report.write_text(render_report(evaluation, datetime.now(UTC)), encoding="utf-8")
            plain.write_text(json.dumps(evaluation.to_mapping()), encoding="utf-8")
            run.artifact(Path(folder))
        return run.run_id


def track_comparison(
    uri: str, comparison: Comparison, folder: Path, settings: Mapping[str, Any], splits: SplitVersions
) -> str:
    """Record a comparison on `splits` with the files of `folder` at the MLflow server `uri`, and return the run's id.

    Raises:
        RegistryUnavailable: the server does not answer.
    """
    parts = {"dataset": splits.train, "validation": splits.validation, "test": splits.test}
    tags = {"kind": "comparison", **{name: part.ref for name, part in parts.items()}}
    tags |= {f"{name}_digest": part.digest for name, part in parts.items()}
    with _tracked(uri, f"compare on {comparison.train}", settings, tags) as run:
        for model in comparison.models:
            plain = asdict(model)
            numbers = {key: float(value) for key, value in plain.items() if _is_number(value)}
            run.log({_name(f"{model.name}/{key}"): value for key, value in numbers.items()}, 0)
        for file in sorted(folder.glob("comparison.*")):
            run.artifact(file)
        return run.run_id


@contextmanager
def _tracked(uri: str, name: str, settings: Mapping[str, Any], tags: Mapping[str, str]) -> Iterator[Run]:
    run = Tracker(uri).run(name, settings, tags, experiment=EXPERIMENT)
    with ended(run):
        yield run


def _metrics(evaluation: Evaluation) -> Iterator[tuple[str, float]]:
    for name in ("accuracy", "macro_recall", "macro_f1", "ece", "nll", "temperature"):
        yield name, getattr(evaluation.figures, name)
    for each in evaluation.figures.classes:
        if each.recall is not None:
            yield f"recall/{each.label}", each.recall
    for part in evaluation.slices:
        yield _name(f"slice/{part.dimension}/{part.name}/accuracy"), part.accuracy
        yield _name(f"slice/{part.dimension}/{part.name}/macro_recall"), part.macro_recall
    for outcome in evaluation.behaviour:
        yield _name(f"failure_rate/{outcome.capability}/{outcome.name}"), outcome.failure_rate
    for difference in evaluation.against.differences if evaluation.against else ():
        yield f"against/{difference.measure}/difference", difference.difference
        yield f"against/{difference.measure}/p_value", difference.p_value
    if speed := evaluation.performance:
        yield "texts_per_s", speed.texts_per_s
        yield "peak_memory_mib", speed.peak_memory_bytes / _MIB


def _name(text: str) -> str:
    """Return a name that MLflow accepts for a metric."""
    return _NO_NAME.sub("_", text)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
