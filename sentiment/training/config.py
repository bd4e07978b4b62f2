"""What a run trains and how: one frozen dataclass, written and read as YAML by the jobs."""

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
    """How a student learns from a teacher: a model folder, a version folder, or `models:/NAME/NUMBER`.

    The loss of a text is `(1 - hard_weight)` times that against the teacher's logits at `temperature`, plus
    `hard_weight` times the cross-entropy of its label, plus `hidden_weight` times the cosine distance of the states
    before the last layer. `unlabelled` names a JSONL file of texts (field `text`) without labels. `mixed` adds so many
    texts without labels, each the first half of one text and the second half of another.
    """

    teacher: str = ""
    temperature: float = 2.0
    hard_weight: float = 0.3
    hidden_weight: float = 0.0
    unlabelled: str | None = None
    mixed: int = 0


@dataclass(frozen=True)
class TrainConfig:
    """All hyperparameters of a run, and the data by name.

    `validation` names a dataset version; without it, `validation_share` of `data` is held out. `steps` are done to a
    text before it is tokenised, in training as in serving (see `sentiment.text.steps`). `languages` are those that
    the version reads, as codes with commas, or `any`; left out, those of what it starts from. A batch has at most
    `batch_tokens` tokens, padding counted, and `batch_rows` texts. A text longer than `window_tokens` ([CLS] and [SEP]
    counted) is cut to its head, or with `windows="draw"` to a window drawn anew in each epoch: head, tail or any.
    A class weighs frequency ** -`class_weight_power`. The best of the `monitor`ed figure is kept; with `patience` the
    run ends after so many validations without a better one; after `most_seconds` of steps it ends as if by its last
    step, the schedule shortened to fit. `gradient_norm` 0 clips nothing. `validate_every_steps`
    empty validates at each epoch's end. On the validation texts the version's temperatures are fitted, and with
    `calibration="biases"` the biases of its last layer as well, which undoes what class weights did to probabilities.
    """

    model: str = "minilm"
    data: str = ""
    validation: str | None = None
    validation_share: float = 0.1
    backbone: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[str, ...] = ()
    languages: str | None = None
    epochs: int = 3
    most_steps: int | None = None
    most_seconds: float | None = None
    most_rows: int | None = None
    learning_rate: float = 1e-4
    weight_decay: float = 0.01
    optimizer: str = "adamw"
    schedule: str = "linear"
    warm_up: float = 0.06
    last_rate: float = 0.0
    gradient_norm: float = 1.0
    accumulation: int = 1
    batch_tokens: int = 1536
    batch_rows: int = 48
    window_tokens: int = 128
    windows: str = "head"
    class_weight_power: float = 0.0
    calibration: str = "temperature"
    monitor: str = "macro_recall"
    patience: int | None = None
    keep_checkpoints: int = 1
    validate_every_steps: int | None = None
    checkpoint_every_steps: int | None = None
    most_failures: int = 2
    dtype: str = "auto"
    seed: int = 42
    threads: int | None = None
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
    """Return the config of a mapping; what is left out has the default of its preset's recipe, or of the field.

    Raises:
        InvalidInput: a field is unknown, of the wrong kind or out of range; the error names it.
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
            f"{name!r} is no field of a training's configuration; there are {', '.join(sorted(hints))}", name
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
    wanted = kinds[0]
    if wanted is str:
        return _require(name, value, isinstance(value, str), "a text")
    number = _number(value, wanted)
    return number if number is not None else _require(name, value, False, _NUMBERS[wanted])


def _number(value: Any, wanted: Any) -> Any:
    """Return a value as an equal int or float; None if it is no number, not finite, or not whole where it must be."""
    try:
        number = wanted(value)
        same = not isinstance(value, bool) and float(value) == number and math.isfinite(number)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if same else None


def _require(name: str, value: Any, holds: bool, what: str) -> Any:
    if not holds:
        raise InvalidInput(f"{name} is {shown(value)}; it must be {what}", name)
    return value


def _check(config: TrainConfig) -> None:
    for name, known in _CHOICES.items():
        _require(name, getattr(config, name), getattr(config, name) in known, f"one of {', '.join(known)}")
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
            held_out = "a mixture would hold halves of texts that are held out: name a --validation dataset"
            raise InvalidInput(f"distill.mixed is {config.distill.mixed}; {held_out}", "distill.mixed")


def _check_distill(config: DistillConfig) -> None:
    _require("distill.teacher", config.teacher, bool(config.teacher), "a model's folder or models:/NAME/NUMBER")
    _require("distill.temperature", config.temperature, config.temperature > 0, "above 0")
    _require("distill.hard_weight", config.hard_weight, 0.0 <= config.hard_weight <= 1.0, "from 0 to 1")
    for name in ("hidden_weight", "mixed"):
        _require(f"distill.{name}", getattr(config, name), getattr(config, name) >= 0, "0 or more")
