"""A training as it is asked for, read from options and configuration files, and what it made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from sentiment.errors import InvalidInput
from sentiment.training.config import TrainConfig, from_mapping
from sentiment.validation_messages import shown
from train_jobs.runs.recovery import WAIT_S
from train_jobs.runtime.progress import validation_in_words

if TYPE_CHECKING:
    from train_jobs.train.training_options import TrainingOptions

_DISTILL: Final = "distill"
_MINUTE_S: Final = 60.0


@dataclass(frozen=True)
class Job:
    """A training as it is asked for. `name` of a run that there is takes that one up; empty draws a new one.

    Workers wait for room on a cluster for `wait_s` at most.
    """

    config: TrainConfig
    name: str | None = None
    storage: str | None = None
    workers: int = 1
    gpus_per_worker: float = 0
    register: bool = False
    wait_s: float = WAIT_S

    @property
    def asked_of_ray(self) -> dict[str, Any]:
        """What `run_training` is asked for beside the configuration."""
        sized = {"workers": self.workers, "gpus_per_worker": self.gpus_per_worker, "wait_s": self.wait_s}
        return {"storage_path": self.storage, **sized}


@dataclass(frozen=True)
class TrainingResult:
    """What a job made: figures of the best model, its version's folder and digest, its number if registered.

    `warning` tells of what the version lacks.
    """

    name: str
    run_id: str
    metrics: Mapping[str, float]
    steps: int
    version: str
    digest: str
    registered: str | None = None
    warning: str | None = None


def values_of(job: str, options: TrainingOptions) -> dict[str, Any]:
    """Return the configuration that options ask for: a file's fields, then --set, then options of their own.

    Raises:
        InvalidInput: the file or a field is wrong, or a distillation names no teacher; the error names it.
    """
    values = {**read_config(options.config), **dict(assignment(text) for text in options.changes or [])}
    values = nested({**values, **{name: value for name, value in options.fields.items() if value is not None}})
    if job == _DISTILL:
        values.setdefault("model", "student")
        if not inner(values, _DISTILL).get("teacher"):
            raise InvalidInput("No teacher is named: --teacher models:/sentiment/7, or a model's folder.", "teacher")
    return values


def job_of(job: str, options: TrainingOptions) -> Job:
    """Return the job that options ask for. Raises InvalidInput, naming the field."""
    config = from_mapping(values_of(job, options))
    sized = (options.workers, options.gpus_per_worker, options.register_it, options.wait * _MINUTE_S)
    return Job(config, options.name, options.storage, *sized)


def read_config(given: str | None) -> dict[str, Any]:
    """Read a configuration: a YAML file, or JSON itself.

    Raises:
        InvalidInput: there is no such file, or it holds no mapping.
    """
    if given is None:
        return {}
    try:
        text = given if given.lstrip().startswith("{") else Path(given).read_text(encoding="utf-8")
        content = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise InvalidInput(f"--config {given!r} cannot be read: {exc}", "config") from exc
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise InvalidInput(f"--config {given!r} holds no mapping of fields to values", "config")
    return content


def assignment(text: str) -> tuple[str, Any]:
    """Read `field=value`, the value as YAML. Raises InvalidInput if there is no `=`."""
    name, sign, value = text.partition("=")
    if not sign:
        raise InvalidInput(f"--set {text!r} is not FIELD=VALUE", "set")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError as exc:
        raise InvalidInput(f"--set {text!r}: the value cannot be read: {exc}", name) from exc
    return name, _number(parsed)


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return `{"distill.temperature": 4}` as `{"distill": {"temperature": 4}}`, however many dots there are.

    Raises:
        InvalidInput: fields are set in what is no mapping; the error names it.
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        outer, dot, rest = name.partition(".")
        if dot:
            found[outer] = nested({**inner(found, outer), rest: value})
        else:
            found[name] = {**inner(found, name), **value} if isinstance(value, dict) else value
    return found


def inner(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the mapping that stands under a name, an empty one where nothing does.

    Raises:
        InvalidInput: something else stands there.
    """
    found = values.get(name)
    if found is not None and not isinstance(found, Mapping):
        raise InvalidInput(f"{name} is {shown(found)}; it must be a mapping of fields to values", name)
    return found or {}


def outcome_in_words(outcome: Mapping[str, Any]) -> list[str]:
    """Return what a training made, a line each."""
    lines = [
        f"Run {outcome['name']} (MLflow {outcome['run_id']}), {outcome['steps']} steps",
        f"Best on validation: {validation_in_words(outcome['metrics'])}",
        f"Version: {outcome['version']}",
    ]
    if outcome["registered"]:
        return [*lines, f"Registered as {outcome['registered']}"]
    return [*lines, f"Register it with: undertone models register {outcome['run_id']}"]


def _number(value: Any) -> Any:
    """YAML 1.1 reads 1e-4 as a text."""
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return value
