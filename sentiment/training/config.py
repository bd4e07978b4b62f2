"""The hyperparameters of a training run: one frozen dataclass, which the jobs read and write as YAML."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from types import MappingProxyType
from typing import Any, Final, get_args, get_origin, get_type_hints

from sentiment.errors import InvalidInput
from sentiment.language import parse_languages
from sentiment.text.steps import steps_problem
from sentiment.training.recipes import recipe_of
from sentiment.validation_messages import shown

OPTIMIZERS: Final = ("adamw", "adam", "adagrad", "sgd")
SCHEDULES: Final = ("linear", "cosine", "exponential", "constant")
MONITORS: Final = ("macro_recall", "macro_f1", "accuracy", "loss")
DTYPES: Final = ("auto", "bfloat16", "float32")
WINDOWS: Final = ("head", "draw")
CALIBRATIONS: Final = ("temperature", "biases")

_CHOICES: Final = {
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "monitor": MONITORS,
    "dtype": DTYPES,
    "windows": WINDOWS,
    "calibration": CALIBRATIONS,
}
_POSITIVE: Final = ("epochs", "learning_rate", "accumulation", "batch_tokens", "batch_rows", "keep_checkpoints")
_AT_LEAST_ZERO: Final = ("weight_decay", "gradient_norm", "class_weight_power", "seed", "most_failures")
_SHARES: Final = ("warm_up", "last_rate", "validation_share")
_BOUNDS: Final = (
    "most_steps",
    "most_seconds",
    "most_rows",
    "validate_every_steps",
    "checkpoint_every_steps",
    "patience",
    "threads",
)
_NUMBERS: Final = {int: "a whole number", float: "a number"}
_LEAST_WINDOW: Final = 8
_LARGEST_SEED: Final = 2**63 - 1
_MOST_THREADS: Final = 1024  # more than any machine's that one worker could use


@dataclass(frozen=True)
class DistillConfig:
    """How a student learns from a teacher."""

    teacher: str = ""
    """A model folder, a version folder, or `models:/NAME/NUMBER`."""
    temperature: float = 2.0
    """Softens the teacher's logits; the loss against them weighs 1 - `hard_weight`."""
    hard_weight: float = 0.3
    """Weight of the cross-entropy of the labels."""
    hidden_weight: float = 0.0
    """Weight of the cosine distance between the states before the last layers."""
    unlabelled: str | None = None
    """JSONL file of further texts (field `text`), whose labels are not read."""
    mixed: int = 0
    """Number of further texts made of the first half of one text and the second half of another."""


@dataclass(frozen=True)
class TrainConfig:
    """All hyperparameters of a run, and the data by name."""

    model: str = "minilm"
    """Preset of the zoo."""
    data: str = ""
    """Dataset version to train on."""
    validation: str | None = None
    """Dataset version to validate on."""
    validation_share: float = 0.1
    """Share of `data` that is held out where `validation` names nothing."""
    backbone: str | None = None
    """Folder, or name on the Hugging Face hub, to start from; None for the preset's own."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the model's config that differ from the preset's."""
    steps: tuple[str, ...] = ()
    """Steps that a text goes through before it is tokenised, in training and serving (`sentiment.text.steps`)."""
    languages: str | None = None
    """Languages that the version reads: codes with commas, or `any`; None for those of the backbone."""
    epochs: int = 3
    most_steps: int | None = None
    most_seconds: float | None = None
    """Time limit of the steps; the schedule is shortened to fit."""
    most_rows: int | None = None
    """Most training texts, drawn by `seed`."""
    learning_rate: float = 1e-4
    """Peak of the schedule."""
    weight_decay: float = 0.01
    optimizer: str = "adamw"
    schedule: str = "linear"
    warm_up: float = 0.06
    """Share of the steps in which the rate rises to its peak."""
    last_rate: float = 0.0
    """Rate at the last step, as a share of the peak."""
    gradient_norm: float = 1.0
    """Gradients are clipped to this norm; 0 clips nothing."""
    accumulation: int = 1
    """Batches of a step."""
    batch_tokens: int = 1536
    """Most tokens of a batch, padding included."""
    batch_rows: int = 48
    """Most texts of a batch."""
    window_tokens: int = 128
    """Longer texts are cut to this many tokens, [CLS] and [SEP] included."""
    windows: str = "head"
    """Which window a long text is cut to: its `head`, or one drawn anew in each epoch (`draw`: head, tail or any)."""
    class_weight_power: float = 0.0
    """Classes are weighted by frequency ** -`class_weight_power`."""
    calibration: str = "temperature"
    """What is fitted on the validation texts: temperatures, or with `biases` also the last layer's biases.

    Fitted biases undo what class weights did to the probabilities.
    """
    monitor: str = "macro_recall"
    """Figure by which the best checkpoint is chosen."""
    patience: int | None = None
    """Stop after so many validations without a better figure."""
    keep_checkpoints: int = 1
    validate_every_steps: int | None = None
    """None: validate at the end of each epoch."""
    checkpoint_every_steps: int | None = None
    most_failures: int = 2
    """Restarts after lost workers before the run fails."""
    dtype: str = "auto"
    seed: int = 42
    threads: int | None = None
    """CPU threads of each worker; None shares out what there is."""
    distill: DistillConfig | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "overrides", MappingProxyType(dict(self.overrides)))
        object.__setattr__(self, "steps", tuple(self.steps))
        _check(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return from_mapping, (self.to_mapping(),)

    def to_mapping(self) -> dict[str, Any]:
        """Return the config as plain values, as YAML holds them."""
        plain = {part.name: getattr(self, part.name) for part in fields(self) if part.name != "distill"}
        distill = asdict(self.distill) if self.distill else None
        if self.languages is None:
            del plain["languages"]  # runs of earlier releases have no such field and can be taken up
        return {**plain, "overrides": dict(self.overrides), "steps": list(self.steps), "distill": distill}


def from_mapping(values: Mapping[str, Any]) -> TrainConfig:
    """Return the config that a mapping describes; missing fields take the default of the preset's recipe or the field.

    Raises:
        InvalidInput: a field is unknown, of the wrong type or out of range; the error names it.
    """
    plain = _typed(TrainConfig, {**recipe_of(values.get("model")), **values}, "")
    if isinstance(distill := plain.get("distill"), Mapping):
        plain["distill"] = DistillConfig(**_typed(DistillConfig, distill, "distill."))
    return TrainConfig(**plain)


def _typed(kind: type, values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    hints = get_type_hints(kind)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        name = prefix + unknown[0]
        raise InvalidInput(
            f"{name!r} is not a field of the training configuration; its fields are {', '.join(sorted(hints))}", name
        )
    return {name: _cast(prefix + name, value, hints[name]) for name, value in values.items()}


def _cast(name: str, value: Any, hint: Any) -> Any:
    kinds = get_args(hint) or (hint,)
    if value is None and type(None) in kinds:
        return None
    if DistillConfig in kinds or str(hint).startswith("collections.abc.Mapping"):
        return _require(name, value, isinstance(value, Mapping | DistillConfig), "a mapping")
    if get_origin(hint) is tuple:
        texts = isinstance(value, list | tuple) and all(isinstance(part, str) for part in value)
        return _require(name, value, texts, "a list of names")
    kind = kinds[0]
    if kind is str:
        return _require(name, value, isinstance(value, str), "a text")
    number = _number(value, kind)
    return number if number is not None else _require(name, value, False, _NUMBERS[kind])


def _number(value: Any, kind: Any) -> Any:
    """Return a value as an equal int or float; None if it is no number, not finite, or not whole where it must be."""
    try:
        number = kind(value)
        same = not isinstance(value, bool) and float(value) == number and math.isfinite(number)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if same else None


def _require(name: str, value: Any, holds: bool, what: str) -> Any:
    if not holds:
        raise InvalidInput(f"{name} is {shown(value)}; it must be {what}", name)
    return value


def _check(config: TrainConfig) -> None:
    for name, choices in _CHOICES.items():
        _require(name, getattr(config, name), getattr(config, name) in choices, f"one of {', '.join(choices)}")
    for name in _POSITIVE:
        _require(name, getattr(config, name), getattr(config, name) > 0, "above 0")
    for name in _AT_LEAST_ZERO:
        _require(name, getattr(config, name), getattr(config, name) >= 0, "0 or more")
    for name in _SHARES:
        _require(name, getattr(config, name), 0.0 <= getattr(config, name) < 1.0, "at least 0 and below 1")
    for name in _BOUNDS:
        value = getattr(config, name)
        _require(name, value, value is None or value > 0, "above 0, or left out")
    _require("window_tokens", config.window_tokens, config.window_tokens >= _LEAST_WINDOW, f"{_LEAST_WINDOW} or more")
    _require("seed", config.seed, config.seed <= _LARGEST_SEED, f"at most {_LARGEST_SEED}")
    threads = config.threads or 1
    _require("threads", config.threads, threads <= _MOST_THREADS, f"at most {_MOST_THREADS}")
    if config.languages is not None:
        parse_languages(config.languages)
    if problem := steps_problem(config.steps):
        raise InvalidInput(f"steps: {problem}", "steps")
    if config.distill:
        _check_distill(config.distill)
        if config.distill.mixed and config.validation is None:
            raise InvalidInput(
                f"distill.mixed is {config.distill.mixed}, but mixed texts would contain halves of held-out texts: "
                "name a dataset for --validation",
                "distill.mixed",
            )


def _check_distill(config: DistillConfig) -> None:
    _require("distill.teacher", config.teacher, bool(config.teacher), "a model's folder or models:/NAME/NUMBER")
    _require("distill.temperature", config.temperature, config.temperature > 0, "above 0")
    _require("distill.hard_weight", config.hard_weight, 0.0 <= config.hard_weight <= 1.0, "from 0 to 1")
    for name in ("hidden_weight", "mixed"):
        _require(f"distill.{name}", getattr(config, name), getattr(config, name) >= 0, "0 or more")
