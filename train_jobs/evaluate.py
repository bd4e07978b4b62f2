"""Evaluate a model version on a dataset version: figures, slices, behaviour, speed, and against another version.

python -m train_jobs.evaluate models:/sentiment/8 --data tweets-test@1 --slices --report report.html
python -m train_jobs.evaluate sentiment/shipped/sentiment --data tweets-test --against models:/sentiment/7
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sentiment.datasets import DatasetVersion, Example, open_datasets
from sentiment.errors import InvalidInput
from sentiment.evaluation.checklist import Classify
from sentiment.evaluation.evaluation import (
    EvaluatedVersion,
    Evaluation,
    EvaluationTexts,
    ModelAnswers,
    VersionComparison,
    answer,
    behave,
    classifier_of,
    evaluate,
    require_labels,
    set_against,
)
from sentiment.evaluation.performance import measure_performance
from sentiment.evaluation.report import render_report
from sentiment.evaluation.summary import summarise
from sentiment.predictor import Predictor
from sentiment.predictor.engines import EngineChoice
from sentiment.registry import is_folder, resolve_model
from sentiment.settings import Settings, load_settings
from sentiment.text import NORMALIZERS
from sentiment.version import ENGINE_FILES
from train_jobs.evaluate_options import EvaluateOptions
from train_jobs.runtime.options import read_options
from train_jobs.runtime.output import run_as_job
from train_jobs.runtime.tracked_results import track_evaluation
from train_jobs.runtime.tracking_server import tracking_server

_LOG = logging.getLogger(__name__)
_CASES: Final = 100

#: Called with a sentence when a step begins.
OnStep = Callable[[str], None]


@dataclass(frozen=True)
class EvaluateConfig:
    """What to evaluate and how."""

    model: str
    """A version folder, or a reference into the registry."""
    data: str
    slices: bool = False
    against: str | None = None
    """Another version to compare with, named like `model`."""
    cases: int = _CASES
    """Most cases of each behaviour test; 0 runs none."""
    performance: bool = True
    engine: EngineChoice = "auto"
    threads: int = 2
    seed: int = 0
    """Draws the cases and the bootstrap's resamples."""


@dataclass(frozen=True)
class _Loaded:
    """A version that is ready to answer."""

    subject: EvaluatedVersion
    predictor: Predictor
    classify: Classify


def run_evaluation(settings: Settings, config: EvaluateConfig, on_step: OnStep = _LOG.info) -> Evaluation:
    """Evaluate as `config` says.

    Raises:
        InvalidInput: version and data differ in their labels, or no row has a label.
        NotFound: there is no such version, or no such data.
        ModelRejected: the version cannot be served, or fails on a text.
    """
    on_step(f"loading {config.model}")
    loaded = _load(settings, config.model, config)
    version, rows = read_labelled(settings, config.data)
    data = EvaluationTexts(version.ref, version.digest, version.labels, len(rows), version.rows - len(rows))
    other = _load(settings, config.against, config) if config.against else None
    for each in (loaded, other):  # both, before minutes are spent on one
        if each:
            require_labels(each.predictor.labels, data.labels)
    on_step(f"classifying {len(rows):,} texts of {data.ref}")
    answers = answer(loaded.classify, loaded.predictor.labels, rows, data.labels)
    evaluation = evaluate(loaded.subject, data, rows, answers, slices=config.slices)
    return _add_parts(evaluation, loaded, other, rows, answers, config, on_step)


def read_labelled(settings: Settings, ref: str) -> tuple[DatasetVersion, list[Example]]:
    """Return a dataset version and its labelled rows.

    Raises:
        NotFound: there is no such version.
        InvalidInput: none of its rows has a label.
    """
    store = open_datasets(settings)
    version = store.find(ref)
    rows = [row for row in store.read(version) if row.label is not None]
    if not rows:
        raise InvalidInput(f"{version.ref} has no labelled rows: push a version with --label-column.", "data")
    return version, rows


def write_report(evaluation: Evaluation, target: Path) -> None:
    """Write the HTML report whole or not at all; missing folders are created.

    Raises:
        InvalidInput: the file cannot be written.
    """
    draft = target.with_name(f".{target.name}.draft")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(render_report(evaluation, datetime.now(UTC)), encoding="utf-8")
        draft.replace(target)
    except OSError as exc:
        raise InvalidInput(f"{target} cannot be written: {exc.strerror}. Name another file.", "report") from exc


def evaluate_and_keep(
    settings: Settings, config: EvaluateConfig, *, report: Path | None, track: bool, on_step: OnStep = _LOG.info
) -> dict[str, Any]:
    """Evaluate; write the report if a file is named; record an MLflow run if `track`; return the outcome.

    The outcome has `result` (all figures), `summary` (a screenful of Markdown) and `run_id` (None if untracked). A
    temporary MLflow server is started if one is needed, to track or to look up versions, and none is configured.

    Raises: what `run_evaluation` and `write_report` do; RegistryUnavailable if the configured server does not answer.
    """
    references = [ref for ref in (config.model, config.against) if ref and not is_folder(ref)]
    with tracking_server(settings) if track or references else nullcontext(settings.registry_uri) as uri:
        evaluation = run_evaluation(settings.model_copy(update={"tracking_uri": uri}), config, on_step)
        if report:
            write_report(evaluation, report)
        run_id = track_evaluation(uri, evaluation, asdict(config)) if track else None
    return {"run_id": run_id, "summary": summarise(evaluation, slices=config.slices), "result": evaluation.to_mapping()}


def main(arguments: Sequence[str]) -> None:
    """Evaluate what the command line names; a summary and the outcome go to standard output."""
    options = read_options(EvaluateOptions, "python -m train_jobs.evaluate", (__doc__ or "").split("\n")[0], arguments)
    run_as_job(
        lambda: evaluate_and_keep(load_settings(), config_of(options), report=options.report, track=options.track)
    )


def config_of(options: EvaluateOptions) -> EvaluateConfig:
    """Return what options ask for."""
    return EvaluateConfig(**{field.name: getattr(options, field.name) for field in fields(EvaluateConfig)})


def _load(settings: Settings, ref: str, config: EvaluateConfig) -> _Loaded:
    model = resolve_model(settings, ref)
    predictor = Predictor.load(model.folder, engine=config.engine, threads=config.threads)
    manifest, engine = predictor.version.manifest, predictor.engine
    subject = EvaluatedVersion(
        ref=model.ref if model.version else ref,
        name=model.name,
        digest=model.digest,
        engine=engine,
        file_bytes=predictor.version.file(ENGINE_FILES[engine]).stat().st_size,
        temperature=manifest.temperature[engine],
        trained_on=manifest.dataset,
    )
    return _Loaded(subject, predictor, _reading_by(manifest.normalizer, classifier_of(predictor)))


def _reading_by(normalizer: str, classify: Classify) -> Classify:
    """Return `classify` with the version's own normaliser before it: stored texts may come from another one."""
    normalize = NORMALIZERS[normalizer]
    return lambda texts: classify([normalize(text) for text in texts])


def _add_parts(
    evaluation: Evaluation,
    loaded: _Loaded,
    other: _Loaded | None,
    rows: Sequence[Example],
    answers: ModelAnswers,
    config: EvaluateConfig,
    on_step: OnStep,
) -> Evaluation:
    labels, normalizer = loaded.predictor.labels, loaded.predictor.version.manifest.normalizer
    if config.cases > 0:
        on_step("testing behaviour")
        outcomes = behave(loaded.classify, labels, normalizer, rows, cases=config.cases, seed=config.seed)
        evaluation = replace(evaluation, behaviour=outcomes)
    if config.performance:
        on_step("measuring speed and memory")
        texts = [row.text for row in rows]
        speed = measure_performance(
            loaded.predictor.version.folder, texts, engine=config.engine, threads=config.threads
        )
        evaluation = replace(evaluation, performance=speed)
    if other:
        on_step(f"comparing with {other.subject.ref}")
        evaluation = replace(evaluation, against=_against(other, rows, answers, evaluation.data.labels, config.seed))
    return evaluation


def _against(
    other: _Loaded, rows: Sequence[Example], answers: ModelAnswers, labels: tuple[str, ...], seed: int
) -> VersionComparison:
    theirs = answer(other.classify, other.predictor.labels, rows, labels)
    return set_against(answers, theirs, other.subject, labels, seed=seed)


if __name__ == "__main__":
    main(sys.argv[1:])
