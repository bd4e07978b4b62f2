"""The files of a comparison: each model's figures, so that a second run reuses them; the table and the pictures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from sentiment.errors import InvalidInput
from sentiment.evaluation.charts import comparison_figure, picture
from sentiment.evaluation.comparison import ComparedModel, Comparison, to_markdown

_FIGURES: Final = "figures.json"
_FORMAT: Final = 2  # raise it when a preset, or how models are measured, changes


@dataclass(frozen=True)
class ModelMeasurement:
    """A model's figures, and its predictions of the test texts in their order."""

    model: ComparedModel
    test_predictions: tuple[str, ...]


def key_of(parts: Sequence[Any]) -> str:
    """Return a key of configuration and digests: figures with equal keys were measured in the same way."""
    return hashlib.sha256(json.dumps([_FORMAT, *parts], sort_keys=True).encode()).hexdigest()


def cached_measurement(
    folder: Path, key: str, measure: Callable[[], ModelMeasurement], *, again: bool = False
) -> ModelMeasurement:
    """Return the figures that `folder` holds under `key`; if there are none, or with `again`, measure and store them.

    Raises: what `measure` does; InvalidInput if the folder cannot be written to.
    """
    if not again and (stored := _read(folder / _FIGURES, key)):
        return stored
    measured = measure()
    _write(folder / _FIGURES, json.dumps({"key": key, **asdict(measured)}).encode())
    return measured


def write_comparison(comparison: Comparison, folder: Path) -> None:
    """Write `comparison.md`, `.json`, `.png` and `.svg` into a folder.

    Raises:
        InvalidInput: the folder cannot be written to.
    """
    figure = comparison_figure([asdict(model) for model in comparison.models])
    contents = {
        "md": (to_markdown(comparison) + "\n").encode(),
        "json": (json.dumps(comparison.to_mapping(), indent=2) + "\n").encode(),
        "png": picture(figure, "png"),
        "svg": picture(figure, "svg"),
    }
    for ending, content in contents.items():
        _write(folder / f"comparison.{ending}", content)


def _read(path: Path, key: str) -> ModelMeasurement | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if content.get("key") != key:
        return None
    return ModelMeasurement(ComparedModel.from_mapping(content["model"]), tuple(content["test_predictions"]))


def _write(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content)
        draft.replace(path)
    except OSError as exc:
        raise InvalidInput(f"{path} cannot be written: {exc.strerror}. Name another folder with --out.", "out") from exc
