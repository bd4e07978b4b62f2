"""Models beside each other on the same data, the linear baseline always among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from sentiment.evaluation.bootstrap import Interval, PairedDifference
from sentiment.evaluation.summary import percent, table

_MIB: Final = 1 << 20
_MILLION: Final = 1e6
_SURE: Final = 0.05
_HEADS: Final = (
    "model",
    "parameters",
    "trained",
    "s/epoch",
    "train acc.",
    "val. acc.",
    "test acc.",
    "test macro-recall",
    "training MiB",
    "serving MiB",
    "file MiB",
    "texts/s",
    "beats linear",
)


@dataclass(frozen=True)
class ComparedModel:
    """One model: shares in [0, 1]; None where there is no such figure, as a version made elsewhere has no epochs.

    Accuracies and `texts_per_s` are those of the export that serves on CPUs, `file_bytes` its file.
    `training_peak_bytes` is of the largest training process, `serving_peak_bytes` of one that loads the export and
    classifies.
    `against_linear` compares macro-recall on the test texts with the linear baseline's.
    """

    name: str
    test_accuracy: float
    test_macro_recall: float
    validation_accuracy: float
    train_accuracy: float
    texts_per_s: float
    linear: bool = False
    detail: str = ""
    parameters: int | None = None
    trained_parameters: int | None = None
    epochs: int | None = None
    epoch_s: float | None = None
    training_peak_bytes: int | None = None
    serving_peak_bytes: int | None = None
    file_bytes: int | None = None
    against_linear: PairedDifference | None = None

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> ComparedModel:
        """Return the model from the result of `dataclasses.asdict`, also after it went through JSON."""
        plain = values["against_linear"]
        difference = PairedDifference(**{**plain, "interval": Interval(*plain["interval"])}) if plain else None
        return cls(**{**values, "against_linear": difference})


@dataclass(frozen=True)
class Comparison:
    """Models on the same data. `train`, `validation` and `test` are dataset versions with their labelled rows.

    `missing` are models that were to be compared, each with the reason why it has no figures.
    """

    train: str
    validation: str
    test: str
    rows: Mapping[str, int]
    models: tuple[ComparedModel, ...]
    missing: Mapping[str, str] = field(default_factory=dict)

    def to_mapping(self) -> dict[str, Any]:
        """Return everything as JSON takes it."""
        return asdict(self)


def verdict(model: ComparedModel) -> str:
    """Return in words whether a model beats the linear baseline by macro-recall on the test texts."""
    difference = model.against_linear
    if model.linear or difference is None:
        return "–"
    if difference.difference <= 0:
        return "**no**"
    if difference.p_value > _SURE:
        return f"not clearly: {100 * difference.difference:+.2f} (p {difference.p_value:.2f})"
    return f"yes: {100 * difference.difference:+.2f}"


def to_markdown(comparison: Comparison) -> str:
    """Return the table with its data, details, and warnings about models that are not worth their cost."""
    rows = [_cells(model) for model in comparison.models]
    rows += [_without_figures(name, reason) for name, reason in comparison.missing.items()]
    data = (
        f"Trained on {comparison.train} ({comparison.rows['train']:,} texts), chosen on {comparison.validation} "
        f"({comparison.rows['validation']:,}), tested on {comparison.test} ({comparison.rows['test']:,}). Shares in "
        "percent."
    )
    details = [f"- {model.name}: {model.detail}" for model in comparison.models if model.detail]
    blocks = [data, table(_HEADS, rows), "\n".join(details), *_warnings(comparison.models)]
    return "\n\n".join(block for block in blocks if block)


def _cells(model: ComparedModel) -> tuple[str, ...]:
    return (
        model.name,
        _millions(model.parameters),
        _millions(model.trained_parameters),
        "–" if model.epoch_s is None else f"{model.epoch_s:,.1f}",
        percent(model.train_accuracy),
        percent(model.validation_accuracy),
        percent(model.test_accuracy),
        percent(model.test_macro_recall),
        _mib(model.training_peak_bytes),
        _mib(model.serving_peak_bytes),
        _mib(model.file_bytes, 1),
        f"{model.texts_per_s:,.0f}",
        verdict(model),
    )


def _without_figures(name: str, reason: str) -> tuple[str, ...]:
    reason_line = " ".join(reason.replace("|", "/").split())
    return (name, *("–" for _ in _HEADS[2:]), f"not compared: {reason_line}")


def _warnings(models: Sequence[ComparedModel]) -> list[str]:
    beaten = [model.name for model in models if model.against_linear and model.against_linear.difference <= 0]
    return [f"Not worth its price: {name} does not beat the linear baseline." for name in beaten]


def _millions(count: int | None) -> str:
    return "–" if count is None else f"{count / _MILLION:.2f} M"


def _mib(size: int | None, digits: int = 0) -> str:
    return "–" if size is None else f"{size / _MIB:,.{digits}f}"
