"""What a comparison keeps in its folder: each model's figures, so that it can be taken up, and table and pictures."""

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
_FORMAT: Final = 2  # another one where a preset, or how it is measured, is no longer what it was


@dataclass(frozen=True)
class Measured:
    """A model's figures, and the labels that it gave to the test texts, in their order."""

    model: ComparedModel
    test_predictions: tuple[str, ...]


def key_of(parts: Sequence[Any]) -> str:
    """Return a key of configuration and digests: with another key, figures were measured in another way."""
    return hashlib.sha256(json.dumps([_FORMAT, *parts], sort_keys=True).encode()).hexdigest()


def kept(folder: Path, key: str, measure: Callable[[], Measured], *, again: bool = False) -> Measured:
    """Return what `folder` holds under `key`, or measure it (`again` in any case) and keep it there.

    Raises: what `measure` does; InvalidInput if the folder cannot be written to.
    """
    if not again and (found := _read(folder / _FIGURES, key)):
        return found
    measured = measure()
    _write(folder / _FIGURES, json.dumps({"key": key, **asdict(measured)}).encode())
    return measured


def write_comparison(found: Comparison, folder: Path) -> None:
    """Write `comparison.md`, `.json`, `.png` and `.svg` into a folder.

    Raises:
        InvalidInput: the folder cannot be written to.
    """
    figure = comparison_figure([asdict(model) for model in found.models])
    contents = {
        "md": (to_markdown(found) + "\n").encode(),
        "json": (json.dumps(found.to_mapping(), indent=2) + "\n").encode(),
        "png": picture(figure, "png"),
        "svg": picture(figure, "svg"),
    }
    for ending, content in contents.items():
        _write(folder / f"comparison.{ending}", content)


def _read(path: Path, key: str) -> Measured | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if content.get("key") != key:
        return None
    return Measured(ComparedModel.from_mapping(content["model"]), tuple(content["test_predictions"]))


def _write(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content)
        draft.replace(path)
    except OSError as exc:
        raise InvalidInput(f"{path} cannot be written: {exc.strerror}. Name another folder with --out.", "out") from exc
