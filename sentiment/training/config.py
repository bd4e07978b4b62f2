"""The hyperparameters of a training run: one frozen dataclass, which the jobs read and write as YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from sentiment.errors import InvalidInput
from sentiment.language import parse_languages
from sentiment.text.steps import steps_problem
from sentiment.training.recipes import recipe_of
from sentiment.validation_messages import in_words, shown

Optimizer = Literal["adamw", "adam", "adagrad", "sgd"]
Schedule = Literal["linear", "cosine", "exponential", "constant"]
Monitor = Literal["macro_recall", "macro_f1", "accuracy", "loss"]
Calibration = Literal["temperature", "biases"]

OPTIMIZERS: Final = get_args(Optimizer)
SCHEDULES: Final = get_args(Schedule)
MONITORS: Final = get_args(Monitor)
CALIBRATIONS: Final = get_args(Calibration)

_LARGEST: Final = 2**63 - 1
_MOST_THREADS: Final = 1024  # more than any machine's that one worker could use


def _no_truth(value: Any) -> Any:
    """Refuse true and false, which pydantic would take for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError(f"must be a number, not {shown(value)}")  # noqa: TRY004 - pydantic takes no other
    return value


_Whole = Annotated[int, BeforeValidator(_no_truth)]
_Number = Annotated[float, BeforeValidator(_no_truth)]
Count = Annotated[_Whole, Field(gt=0, le=_LARGEST)]
CountOrZero = Annotated[_Whole, Field(ge=0, le=_LARGEST)]
Positive = Annotated[_Number, Field(gt=0, allow_inf_nan=False)]
AtLeastZero = Annotated[_Number, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[_Number, Field(ge=0, lt=1, allow_inf_nan=False)]


@dataclass(frozen=True)
class DistillConfig:
    """How a student learns from a teacher."""

    teacher: str = ""
    """A model folder, a version folder, or `models:/NAME/NUMBER`."""
    temperature: Positive = 2.0
    """Softens the teacher's logits; the loss against them weighs 1 - `hard_weight`."""
    hard_weight: Annotated[AtLeastZero, Field(le=1)] = 0.3
    """Weight of the cross-entropy of the labels."""
    hidden_weight: AtLeastZero = 0.0
    """Weight of the cosine distance between the states before the last layers."""
    unlabelled: str | None = None
    """JSONL file of further texts (field `text`), whose labels are not read."""
    mixed: CountOrZero = 0
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
    validation_share: Share = 0.1
    """Share of `data` that is held out where `validation` names nothing."""
    backbone: str | None = None
    """Folder, or name on the Hugging Face hub, to start from; None for the preset's own."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the model's config that differ from the preset's."""
    steps: tuple[str, ...] = ()
    """Steps that a text goes through before it is tokenised, in training and serving (`sentiment.text.steps`)."""
    languages: str | None = None
    """Languages that the version reads: codes with commas, or `any`; None for those of the backbone."""
    epochs: Count = 3
    most_steps: Count | None = None
    most_seconds: Positive | None = None
    """Time limit of the steps; the schedule is shortened to fit."""
    most_rows: Count | None = None
    """Most training texts, drawn by `seed`."""
    learning_rate: Positive = 1e-4
    """Peak of the schedule."""
    weight_decay: AtLeastZero = 0.01
    optimizer: Optimizer = "adamw"
    schedule: Schedule = "linear"
    warm_up: Share = 0.06
    """Share of the steps in which the rate rises to its peak."""
    last_rate: Share = 0.0
    """Rate at the last step, as a share of the peak."""
    gradient_norm: AtLeastZero = 1.0
    """Gradients are clipped to this norm; 0 clips nothing."""
    accumulation: Count = 1
    """Batches of a step."""
    batch_tokens: Count = 1536
    """Most tokens of a batch, padding included."""
    batch_rows: Count = 48
    """Most texts of a batch."""
    window_tokens: Annotated[Count, Field(ge=8)] = 128
    """Longer texts are cut to this many tokens, [CLS] and [SEP] included."""
    windows: Literal["head", "draw"] = "head"
    """Which window a long text is cut to: its `head`, or one drawn anew in each epoch (`draw`: head, tail or any)."""
    class_weight_power: AtLeastZero = 0.0
    """Classes are weighted by frequency ** -`class_weight_power`."""
    calibration: Calibration = "temperature"
    """What is fitted on the validation texts: temperatures, or with `biases` also the last layer's biases.

    Fitted biases undo what class weights did to the probabilities.
    """
    monitor: Monitor = "macro_recall"
    """Figure by which the best checkpoint is chosen."""
    patience: Count | None = None
    """Stop after so many validations without a better figure."""
    keep_checkpoints: Count = 1
    validate_every_steps: Count | None = None
    """None: validate at the end of each epoch."""
    checkpoint_every_steps: Count | None = None
    most_failures: CountOrZero = 2
    """Restarts after lost workers before the run fails."""
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    seed: CountOrZero = 42
    threads: Annotated[Count, Field(le=_MOST_THREADS)] | None = None
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
    plain = {**recipe_of(values.get("model")), **values}
    _refuse_unknown(TrainConfig, plain, "")
    if isinstance(distill := plain.get("distill"), Mapping):
        _refuse_unknown(DistillConfig, distill, "distill.")
    try:
        return _adapter().validate_python(plain)
    except ValidationError as exc:
        problem = exc.errors(include_url=False)[0]
        name = ".".join(str(part) for part in problem["loc"] if isinstance(part, str | int))
        raise InvalidInput(f"{name}: {in_words(problem)}", name) from None


@cache
def _adapter() -> TypeAdapter[TrainConfig]:
    return TypeAdapter(TrainConfig)


def _refuse_unknown(kind: type, values: Mapping[str, Any], prefix: str) -> None:
    """Refuse fields that a dataclass has not, which pydantic would leave out in silence."""
    known = sorted(part.name for part in fields(kind))
    unknown = sorted(set(values) - set(known))
    if unknown:
        name = prefix + unknown[0]
        raise InvalidInput(
            f"{name!r} is not a field of the training configuration; its fields are {', '.join(known)}", name
        )


def _check(config: TrainConfig) -> None:
    """Refuse what no field says by itself."""
    if config.languages is not None:
        parse_languages(config.languages)
    if problem := steps_problem(config.steps):
        raise InvalidInput(f"steps: {problem}", "steps")
    if config.distill is None:
        return
    if not config.distill.teacher:
        raise InvalidInput(
            "distill.teacher is missing: name a model's folder or models:/NAME/NUMBER", "distill.teacher"
        )
    if config.distill.mixed and config.validation is None:
        raise InvalidInput(
            f"distill.mixed is {config.distill.mixed}, but mixed texts would contain halves of held-out texts: "
            "name a dataset for --validation",
            "distill.mixed",
        )
