"""The plan of a comparison: its options, checked before anything runs, with all aliases resolved to numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sentiment.datasets import DatasetStore, open_datasets
from sentiment.errors import InvalidInput
from sentiment.models.presets import PRESETS
from sentiment.registry import is_folder
from sentiment.settings import Settings
from sentiment.training.config import from_mapping
from train_jobs.compare.splits import SplitVersions, make_splits
from train_jobs.compare.trained_versions import TrainingSetup
from train_jobs.train.class_balance import warn_of_missing_classes_in
from train_jobs.train.prepare import RunLocations, fixed_reference

_LESSON = "distill"
_TEACHER = "teacher"


@dataclass(frozen=True)
class CompareConfig:
    """What to compare."""

    data: str
    models: tuple[str, ...] = ()
    """Presets to train, in this order."""
    versions: tuple[str, ...] = ()
    """Existing versions: folders or references into the registry."""
    validation: str | None = None
    test: str | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the training configuration for all models; under a model's name, those of that model.

    If `distill.teacher` names an earlier model of this comparison, the version trained for it is the teacher. The
    linear baseline uses the `steps` that are for all.
    """
    workers: int = 1
    gpus_per_worker: float = 0
    threads: int = 2

    @property
    def steps(self) -> tuple[str, ...]:
        """The text steps of all models. Raises InvalidInput if one is unknown."""
        return from_mapping({"steps": self.training.get("steps") or []}).steps


@dataclass(frozen=True)
class Plan:
    """A comparison that is ready to run."""

    config: CompareConfig
    """Names dataset versions by number, never by `@latest`."""
    splits: SplitVersions
    jobs: Mapping[str, TrainingSetup]
    """The training of each model, by preset; a teacher from this comparison is named by its preset."""

    @property
    def teachers(self) -> frozenset[str]:
        """The models of this comparison that others learn from."""
        named = {job.config.distill.teacher for job in self.jobs.values() if job.config.distill}
        return frozenset(named & self.jobs.keys())

    def fixed(self, places: RunLocations) -> Plan:
        """Return the plan with the aliases of versions and teachers resolved: they may move while it runs.

        Raises: what `fixed_reference` does.
        """
        versions = tuple(fixed_reference(ref, places) for ref in self.config.versions)

        def resolve(teacher: str) -> str:
            return teacher if teacher in self.jobs else fixed_reference(teacher, places)

        config = replace(self.config, versions=versions, training=_taught(self.config.training, resolve))
        return Plan(config, self.splits, _jobs(config, self.splits))


def plan_of(settings: Settings, config: CompareConfig) -> Plan:
    """Check a comparison and split its data.

    Raises:
        InvalidInput: the data cannot be split, or a configuration is wrong, naming the field.
        NotFound: there is no such dataset version.
    """
    _require_known(config)
    store = open_datasets(settings)
    config = _numbered(store, config)
    splits = make_splits(store, config.data, config.validation, config.test)
    if config.models:
        warn_of_missing_classes_in(splits)
    return Plan(config, splits, _jobs(config, splits))


def taught_by(job: TrainingSetup, trained: Mapping[str, Path]) -> TrainingSetup:
    """Return the job with its teacher's version folder, if the teacher is one of the models in `trained`."""
    distill = job.config.distill
    if distill is None or distill.teacher not in trained:
        return job
    taught = replace(distill, teacher=str(trained[distill.teacher]))
    return replace(job, config=replace(job.config, distill=taught))


def _require_known(config: CompareConfig) -> None:
    unknown = [name for name in config.models if name not in PRESETS]
    if unknown:
        raise InvalidInput(f"There is no preset {unknown[0]!r}. The presets are {', '.join(PRESETS)}.", "models")
    strangers = [name for name in config.training if name in PRESETS and name not in config.models]
    if strangers:
        raise InvalidInput(
            f"The configuration has fields for {strangers[0]}, which is not compared: add it to --models.", "models"
        )
    if not config.models and not config.versions:
        raise InvalidInput("Nothing to compare: name --models to train, or existing --versions.", "models")
    _ = config.steps


def _numbered(store: DatasetStore, config: CompareConfig) -> CompareConfig:
    def ref(name: str | None) -> str | None:
        return store.find(name).ref if name else None

    return replace(config, data=store.find(config.data).ref, validation=ref(config.validation), test=ref(config.test))


def _jobs(config: CompareConfig, splits: SplitVersions) -> dict[str, TrainingSetup]:
    jobs: dict[str, TrainingSetup] = {}
    for name in config.models:
        training = {"threads": config.threads, **config.training}
        job = TrainingSetup.of(name, training, splits, config.workers, config.gpus_per_worker)
        _require_teacher(name, job, jobs)
        jobs[name] = job
    return jobs


def _require_teacher(name: str, job: TrainingSetup, before: Mapping[str, TrainingSetup]) -> None:
    teacher = job.config.distill.teacher if job.config.distill else ""
    if teacher in PRESETS and teacher not in before and not is_folder(teacher):
        raise InvalidInput(
            f"{name} learns from {teacher}, which this comparison does not train before it: put {teacher} first in "
            f"--models, and set the teacher for {name} alone (--set {name}.distill.teacher={teacher}).",
            f"{name}.{_LESSON}.{_TEACHER}",
        )


def _taught(training: Mapping[str, Any], resolve: Callable[[str], str]) -> dict[str, Any]:
    """Return training fields with each teacher's name resolved, also those under a model's name."""
    resolved = {
        name: _taught(value, resolve) if name in PRESETS and isinstance(value, Mapping) else value
        for name, value in training.items()
    }
    if (distill := training.get(_LESSON)) and _TEACHER in distill:
        resolved[_LESSON] = {**distill, _TEACHER: resolve(distill[_TEACHER])}
    return resolved
