"""What a comparison is told, checked before anything runs, and what stands fixed in it once it begins."""

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
from train_jobs.compare.splits import Splits, make_splits
from train_jobs.compare.trained_versions import TrainAs
from train_jobs.train.class_balance import warn_of_unlearnt_in
from train_jobs.train.prepare import Places, fixed_reference

_LESSON = "distill"
_TEACHER = "teacher"


@dataclass(frozen=True)
class CompareConfig:
    """What to compare. `models` are presets to train, `versions` folders or references of versions that there are.

    `training` has fields of a training's configuration, for all models; under the name of a model those of that one.
    A teacher (`distill.teacher`) that is named as one of the models before it is the version that this comparison
    trains of that. The linear baseline reads texts after the `steps` that are for all.
    """

    data: str
    models: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    validation: str | None = None
    test: str | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    workers: int = 1
    gpus_per_worker: float = 0
    threads: int = 2

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps of all models. Raises InvalidInput if one is unknown."""
        return from_mapping({"steps": self.training.get("steps") or []}).steps


@dataclass(frozen=True)
class Plan:
    """A comparison that can begin: what was asked for, with numbers for `@latest`; its data; and a job for each model.

    In `jobs` a teacher that is trained first stands under its preset's name.
    """

    config: CompareConfig
    splits: Splits
    jobs: Mapping[str, TrainAs]

    @property
    def teachers(self) -> frozenset[str]:
        """The models that others learn from."""
        named = {job.config.distill.teacher for job in self.jobs.values() if job.config.distill}
        return frozenset(named & self.jobs.keys())

    def fixed(self, places: Places) -> Plan:
        """Return the plan with numbers for the aliases of versions and teachers, too: they may move while it lasts.

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
        warn_of_unlearnt_in(splits)
    return Plan(config, splits, _jobs(config, splits))


def taught_by(job: TrainAs, trained: Mapping[str, Path]) -> TrainAs:
    """Return the job with the version of its teacher, if that is one of those that were `trained`."""
    lesson = job.config.distill
    if lesson is None or lesson.teacher not in trained:
        return job
    taught = replace(lesson, teacher=str(trained[lesson.teacher]))
    return replace(job, config=replace(job.config, distill=taught))


def _require_known(config: CompareConfig) -> None:
    unknown = [name for name in config.models if name not in PRESETS]
    if unknown:
        raise InvalidInput(f"{unknown[0]!r} is no preset; there are {', '.join(PRESETS)}.", "models")
    strangers = [name for name in config.training if name in PRESETS and name not in config.models]
    if strangers:
        raise InvalidInput(f"{strangers[0]} has fields of its own and is not compared: add it to --models.", "models")
    if not config.models and not config.versions:
        raise InvalidInput("Nothing to compare: name --models to train, or --versions that there are.", "models")
    _ = config.steps


def _numbered(store: DatasetStore, config: CompareConfig) -> CompareConfig:
    def ref(name: str | None) -> str | None:
        return store.find(name).ref if name else None

    return replace(config, data=store.find(config.data).ref, validation=ref(config.validation), test=ref(config.test))


def _jobs(config: CompareConfig, splits: Splits) -> dict[str, TrainAs]:
    jobs: dict[str, TrainAs] = {}
    for name in config.models:
        training = {"threads": config.threads, **config.training}
        job = TrainAs.of(name, training, splits, config.workers, config.gpus_per_worker)
        _require_teacher(name, job, jobs)
        jobs[name] = job
    return jobs


def _require_teacher(name: str, job: TrainAs, before: Mapping[str, TrainAs]) -> None:
    teacher = job.config.distill.teacher if job.config.distill else ""
    if teacher in PRESETS and teacher not in before and not is_folder(teacher):
        raise InvalidInput(
            f"{name} learns from {teacher}, which this comparison does not train before it: name it first in --models, "
            f"and the teacher for {name} alone (--set {name}.distill.teacher={teacher}).",
            f"{name}.{_LESSON}.{_TEACHER}",
        )


def _taught(training: Mapping[str, Any], resolve: Callable[[str], str]) -> dict[str, Any]:
    """Return fields of trainings with each teacher's name resolved, those under a model's name as well."""
    found = {
        name: _taught(value, resolve) if name in PRESETS and isinstance(value, Mapping) else value
        for name, value in training.items()
    }
    if (lesson := training.get(_LESSON)) and _TEACHER in lesson:
        found[_LESSON] = {**lesson, _TEACHER: resolve(lesson[_TEACHER])}
    return found
