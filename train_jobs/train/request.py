"""The request for a training, read from options and configuration files, and its result."""

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
    """A request for a training."""

    config: TrainConfig
    name: str | None = None
    """Name of the run; an existing run is resumed. None draws a new name."""
    storage: str | None = None
    """Folder or s3:// address for checkpoints; None for home's runs."""
    workers: int = 1
    gpus_per_worker: float = 0
    register: bool = False
    wait_s: float = WAIT_S
    """Longest time that workers wait for free CPUs and GPUs on a cluster."""

    @property
    def asked_of_ray(self) -> dict[str, Any]:
        """The arguments of `run_training` beside the configuration."""
        sized = {"workers": self.workers, "gpus_per_worker": self.gpus_per_worker, "wait_s": self.wait_s}
        return {"storage_path": self.storage, **sized}


@dataclass(frozen=True)
class TrainingResult:
    """What a training job made."""

    name: str
    run_id: str
    """Of the MLflow run."""
    metrics: Mapping[str, float]
    """Figures of the best model on the validation texts."""
    steps: int
    version: str
    """Folder of the version."""
    digest: str
    registered: str | None = None
    """`models:/NAME/NUMBER`, if it was registered."""
    warning: str | None = None
    """What the version lacks, such as an int8 engine."""


def values_of(job: str, options: TrainingOptions) -> dict[str, Any]:
    """Return the configuration that options ask for: fields of the file, then --set, then the fields' own options.

    Raises:
        InvalidInput: the file or a field is wrong, or a distillation names no teacher; the error names it.
    """
    values = {**read_config(options.config), **dict(assignment(text) for text in options.changes or [])}
    values = nested({**values, **{name: value for name, value in options.fields.items() if value is not None}})
    if job == _DISTILL:
        values.setdefault("model", "student")
        if not inner(values, _DISTILL).get("teacher"):
            raise InvalidInput(
                "No teacher is named: give --teacher models:/NAME/NUMBER, or the folder of a model.", "teacher"
            )
    return values


def job_of(job: str, options: TrainingOptions) -> Job:
    """Return the job that options ask for. Raises InvalidInput, naming the field."""
    config = from_mapping(values_of(job, options))
    sized = (options.workers, options.gpus_per_worker, options.register_it, options.wait * _MINUTE_S)
    return Job(config, options.name, options.storage, *sized)


def read_config(source: str | None) -> dict[str, Any]:
    """Read a configuration: a YAML file, or JSON itself.

    Raises:
        InvalidInput: there is no such file, or it holds no mapping.
    """
    if source is None:
        return {}
    try:
        text = source if source.lstrip().startswith("{") else Path(source).read_text(encoding="utf-8")
        content = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise InvalidInput(f"--config {source!r} cannot be read: {exc}", "config") from exc
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise InvalidInput(f"--config {source!r} must be a YAML mapping of fields to values", "config")
    return content


def assignment(text: str) -> tuple[str, Any]:
    """Read `field=value`, the value as YAML. Raises InvalidInput if there is no `=`."""
    name, sign, value = text.partition("=")
    if not sign:
        raise InvalidInput(f"--set {text!r} must be written as FIELD=VALUE", "set")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError as exc:
        raise InvalidInput(f"--set {text!r}: the value cannot be read: {exc}", name) from exc
    return name, _number(parsed)


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return `{"distill.temperature": 4}` as `{"distill": {"temperature": 4}}`, however many dots there are.

    Raises:
        InvalidInput: fields are set inside a value that is no mapping; the error names it.
    """
    result: dict[str, Any] = {}
    for name, value in values.items():
        outer, dot, rest = name.partition(".")
        if dot:
            result[outer] = nested({**inner(result, outer), rest: value})
        else:
            result[name] = {**inner(result, name), **value} if isinstance(value, dict) else value
    return result


def inner(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the mapping under a name, an empty one if there is none.

    Raises:
        InvalidInput: the value under the name is no mapping.
    """
    mapping = values.get(name)
    if mapping is not None and not isinstance(mapping, Mapping):
        raise InvalidInput(f"{name} is {shown(mapping)}; it must be a mapping of fields to values", name)
    return mapping or {}


def outcome_in_words(outcome: Mapping[str, Any]) -> list[str]:
    """Return the result of a training as lines of text."""
    lines = [
        f"Run {outcome['name']} (MLflow {outcome['run_id']}), {outcome['steps']} steps",
        f"Best on validation: {validation_in_words(outcome['metrics'])}",
        f"Version: {outcome['version']}",
    ]
    if outcome["registered"]:
        return [*lines, f"Registered as {outcome['registered']}"]
    return [*lines, f"Register it with: undertone models register {outcome['run_id']}"]


def _number(value: Any) -> Any:
    """Return a number that YAML 1.1 read as text, such as 1e-4, as a float; other values unchanged."""
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return value
