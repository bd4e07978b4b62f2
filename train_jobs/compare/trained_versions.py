"""One model of a comparison: trained by a job of its own, or an existing version; then measured as it would serve."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sentiment.datasets import Example
from sentiment.errors import InvalidInput
from sentiment.evaluation.bootstrap import accuracies, macro_recalls
from sentiment.evaluation.comparison import ComparedModel
from sentiment.evaluation.evaluation import answer, classifier_of
from sentiment.evaluation.performance import measure_performance
from sentiment.models.zoo import PRESETS, count_parameters, load_model
from sentiment.predictor import Predictor
from sentiment.registry import resolve_model
from sentiment.registry.tracking import Tracker
from sentiment.settings import Settings
from sentiment.training.config import TrainConfig, from_mapping
from sentiment.validation_messages import shown
from sentiment.version import ENGINE_FILES
from train_jobs.compare.files import ModelMeasurement
from train_jobs.compare.splits import SplitVersions
from train_jobs.runs.capacity import ResourceRequest
from train_jobs.runs.run_folder import run_place, version_folder
from train_jobs.train.job import run_job
from train_jobs.train.request import Job

_MIB: Final = 1 << 20
_MEMORY: Final = "system/process_memory_mib"
_KEY_DIGITS: Final = 12
#: The training accuracy is measured on so many training texts, evenly spread.
MOST_TRAIN_TEXTS: Final = 4000


@dataclass(frozen=True)
class DatasetSplits:
    """The labelled rows to train, validate and test on; `labels` are in the order of the label set."""

    labels: tuple[str, ...]
    train: Sequence[Example]
    validation: Sequence[Example]
    test: Sequence[Example]


@dataclass(frozen=True)
class TrainingSetup:
    """How one model is trained."""

    config: TrainConfig
    workers: int
    gpus_per_worker: float

    @property
    def need(self) -> ResourceRequest:
        """The CPUs and GPUs that it asks Ray for."""
        return ResourceRequest.of(self.config, self.workers, self.gpus_per_worker)

    @classmethod
    def of(
        cls, name: str, training: Mapping[str, Any], splits: SplitVersions, workers: int, gpus: float
    ) -> TrainingSetup:
        """Return the training of a preset: its recipe, changed by the `training` fields for all and for this preset.

        Raises:
            InvalidInput: a field is unknown or out of range.
        """
        common = {field: value for field, value in training.items() if field not in PRESETS}
        own = training.get(name) or {}
        if not isinstance(own, Mapping):
            raise InvalidInput(f"{name} is {shown(own)}; it must be a mapping of training fields to values", name)
        fixed = {"model": name, "data": splits.train.ref, "validation": splits.validation.ref}
        return cls(from_mapping({**common, **own, **fixed}), workers, gpus)


def train_version(
    settings: Settings,
    job: TrainingSetup,
    dataset: DatasetSplits,
    key: str,
    threads: int,
    on_report: Callable[[Mapping[str, float]], None],
) -> ModelMeasurement:
    """Train a model, or resume its training, and measure the version; `key` identifies the training.

    Raises: what `run_job` does.
    """
    peak_mib = 0.0

    def take(report: Mapping[str, float]) -> None:
        nonlocal peak_mib
        peak_mib = max(peak_mib, report.get(_MEMORY, 0.0))
        on_report(report)

    job_request = Job(job.config, _run_name(job, key), workers=job.workers, gpus_per_worker=job.gpus_per_worker)
    trained = run_job(job_request, settings, None, take)
    if settings.tracking_uri:  # an earlier process may have done a part of the run
        peak_mib = max(peak_mib, Tracker(settings.tracking_uri).highest(trained.run_id, _MEMORY))
    measured = measure_folder(job.config.model, Path(trained.version), dataset, threads)
    epochs = int(trained.metrics.get("epoch", 0))
    model = replace(
        measured.model,
        epochs=job.config.epochs,
        epoch_s=trained.metrics["seconds"] / epochs if epochs else None,
        training_peak_bytes=int(peak_mib * _MIB) or None,
    )
    return ModelMeasurement(model, measured.test_predictions)


def trained_folder(settings: Settings, job: TrainingSetup, key: str) -> Path:
    """Return the folder of the version that `train_version` makes under `key`."""
    return version_folder(run_place(settings.home, _run_name(job, key)))


def _run_name(job: TrainingSetup, key: str) -> str:
    return f"compare-{job.config.model}-{key[:_KEY_DIGITS]}"


def measure_version(settings: Settings, ref: str, dataset: DatasetSplits, threads: int) -> ModelMeasurement:
    """Measure an existing version. Raises what `resolve_model` does."""
    return measure_folder(ref, resolve_model(settings, ref).folder, dataset, threads)


def measure_folder(name: str, folder: Path, dataset: DatasetSplits, threads: int) -> ModelMeasurement:
    """Measure the version in `folder` with the engine that serves on CPUs.

    Raises:
        ModelRejected: it cannot be served, or fails on a text.
        InvalidInput: its labels differ from those of the data.
    """
    predictor = Predictor.load(folder, threads=threads)
    predictions = {
        part: _answers(predictor, rows, dataset.labels)
        for part, rows in (
            ("train", _spread(dataset.train)),
            ("validation", dataset.validation),
            ("test", dataset.test),
        )
    }
    accuracy = {part: float(accuracies(ids, predicted)) for part, (ids, predicted) in predictions.items()}
    speed = measure_performance(folder, [row.text for row in dataset.test], threads=threads)
    has_weights = "torch" in predictor.version.manifest.engines
    counts = count_parameters(load_model(folder).model) if has_weights else None
    model = ComparedModel(
        name=name,
        train_accuracy=accuracy["train"],
        validation_accuracy=accuracy["validation"],
        test_accuracy=accuracy["test"],
        test_macro_recall=float(macro_recalls(*predictions["test"], len(dataset.labels))),
        texts_per_s=speed.texts_per_s,
        serving_peak_bytes=speed.peak_memory_bytes,
        file_bytes=predictor.version.file(ENGINE_FILES[predictor.engine]).stat().st_size,
        parameters=counts.all if counts else None,
        trained_parameters=counts.trained if counts else None,
    )
    return ModelMeasurement(model, tuple(dataset.labels[place] for place in predictions["test"][1].tolist()))


def _answers(
    predictor: Predictor, rows: Sequence[Example], labels: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return label ids and predictions [texts]."""
    answers = answer(classifier_of(predictor), predictor.labels, rows, labels)
    return answers.ids, answers.probabilities.argmax(axis=1)


def _spread(rows: Sequence[Example]) -> Sequence[Example]:
    return rows[:: -(-len(rows) // MOST_TRAIN_TEXTS)]
