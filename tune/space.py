"""A search space: which fields of the training configuration vary, and between which values. Written as YAML:

train:                                         # fields that all trials share (optional)
  epochs: 5
space:                                         # fields that vary
  learning_rate: {loguniform: [1e-5, 1e-3]}    # even on a logarithmic scale
  warm_up: {uniform: [0, 0.2]}
  epochs: {int: [2, 5]}                        # both ends included
  overrides.dropout: {choice: [0.5, 0.2, 0.1]} # a dot leads into a mapping
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

import yaml

from sentiment.errors import InvalidInput
from sentiment.validation_messages import shown

Kind = Literal["choice", "uniform", "loguniform", "int"]
Point = dict[str, Any]

_KINDS: Final[tuple[Kind, ...]] = ("choice", "uniform", "loguniform", "int")
_PARTS: Final = ("train", "space")
_FORM: Final = "{choice: [a, b]}, {uniform: [low, high]}, {loguniform: [low, high]} or {int: [low, high]}"


@dataclass(frozen=True)
class Dimension:
    """One field that varies; `values` are those of a choice, or both ends of a range, included."""

    field: str
    kind: Kind
    values: tuple[Any, ...]

    @property
    def low(self) -> Any:
        """The lower end of a range."""
        return self.values[0]

    @property
    def high(self) -> Any:
        """The upper end of a range."""
        return self.values[1]

    def plain(self) -> dict[str, list[Any]]:
        """Return it as a space's YAML says it."""
        return {self.kind: list(self.values)}

    @property
    def count(self) -> int | None:
        """Number of values; None if there are infinitely many."""
        if self.kind == "choice":
            return len(self.values)
        return int(self.high - self.low + 1) if self.kind == "int" else None

    def value(self, number: int) -> Any:
        """Return value `number`, counted from 0; only for a finite dimension."""
        return self.values[number] if self.kind == "choice" else self.low + number


@dataclass(frozen=True)
class Space:
    """The fields that vary, and those that all trials share."""

    dimensions: tuple[Dimension, ...]
    shared: Mapping[str, Any]

    @property
    def size(self) -> int | None:
        """Number of points; None if there are infinitely many."""
        counts = [dimension.count for dimension in self.dimensions]
        return None if None in counts else math.prod(count for count in counts if count)

    @property
    def has_choices_only(self) -> bool:
        """Whether every field is a choice."""
        return all(dimension.kind == "choice" for dimension in self.dimensions)

    def require_size(self) -> int:
        """Return the number of points.

        Raises:
            InvalidInput: a dimension is infinite; the error names it.
        """
        for each in self.dimensions:
            if each.count is None:
                raise InvalidInput(
                    f"{each.field}: a grid needs a finite number of values, and {each.kind} has infinitely many: write "
                    "{choice: […]}, or use --search random.",
                    each.field,
                )
        return self.size or 0

    def point(self, number: int) -> Point:
        """Return point `number`, from 0 to `size` - 1; the last dimension varies fastest."""
        values: list[Any] = []
        for dimension in reversed(self.dimensions):
            number, place = divmod(number, dimension.count or 1)
            values.append(dimension.value(place))
        return dict(zip((dimension.field for dimension in self.dimensions), reversed(values), strict=True))


def shipped_spaces() -> tuple[str, ...]:
    """Return the names of the spaces that ship with the package."""
    entries = (files("tune") / "spaces").iterdir()
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in entries if entry.name.endswith(".yaml")))


def read_space(name: str) -> Space:
    """Read a space: a YAML file, one that ships, by its name, or JSON itself.

    Raises:
        InvalidInput: there is none, or naming the field that is wrong and what it may be.
    """
    return parse_space(content_of(name))


def content_of(name: str) -> Any:
    """Return what a space's YAML says. Raises InvalidInput: there is none, or it is no YAML."""
    if name.lstrip().startswith("{"):
        text = name
    elif name in shipped_spaces():
        text = (files("tune") / "spaces" / f"{name}.yaml").read_text(encoding="utf-8")
    elif Path(name).is_file():
        text = _text_of(Path(name))
    else:
        shipped = ", ".join(shipped_spaces())
        raise InvalidInput(
            f"There is neither a file nor a shipped space {name}: the shipped ones are {shipped}.", "space"
        )
    with suppress(json.JSONDecodeError):  # YAML reads its 1e-05 as a text
        return json.loads(text)
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as exc:
        raise InvalidInput(f"{name} is not YAML: {exc}", "space") from exc


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidInput(f"{path} cannot be read as YAML in UTF-8: {exc}", "space") from exc


def parse_space(content: Any) -> Space:
    """Return the space that parsed YAML describes.

    Raises:
        InvalidInput: a field is wrong; the message names it and the values that it may have.
    """
    if not isinstance(content, Mapping) or not isinstance(content.get("space"), Mapping) or not content["space"]:
        raise InvalidInput(f"A space needs a mapping `space` from each field to {_FORM}.", "space")
    for name in content:
        if name not in _PARTS:
            raise InvalidInput(f"{name!r} is not a part of a space; its parts are {' and '.join(_PARTS)}.", str(name))
    shared = content.get("train") or {}
    if not isinstance(shared, Mapping):
        raise InvalidInput("`train` must be a mapping from fields to values.", "train")
    dimensions = tuple(_dimension(str(name), spec) for name, spec in content["space"].items())
    for dimension in dimensions:
        if dimension.field in shared:
            raise InvalidInput(
                f"{dimension.field} is both fixed under `train` and varied under `space`: remove one of them.",
                dimension.field,
            )
    return Space(dimensions, MappingProxyType(dict(shared)))


def configured(base: Mapping[str, Any], point: Mapping[str, Any]) -> dict[str, Any]:
    """Return the mapping of a configuration with a point's values set; a dot in a name leads into a nested mapping.

    Raises:
        InvalidInput: a dot leads into a value that is no mapping; the error names it.
    """
    merged = dict(base)
    for field, value in point.items():
        name, _, rest = field.partition(".")
        merged[name] = configured(_mapping(name, merged.get(name)), {rest: value}) if rest else value
    return merged


def _mapping(field: str, value: Any) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, Mapping):
        raise InvalidInput(f"{field} is {shown(value)}; it must be a mapping of fields to values.", field)
    return value or {}


def _dimension(field: str, spec: Any) -> Dimension:
    if not isinstance(spec, Mapping) or len(spec) != 1:
        raise InvalidInput(f"{field}: write {_FORM}, not {shown(spec)}.", field)
    kind, values = next(iter(spec.items()))
    if kind not in _KINDS:
        raise InvalidInput(f"{field}: {kind!r} is unknown; write {_FORM}.", field)
    if not isinstance(values, list) or not values:
        raise InvalidInput(f"{field}: {kind} needs a list, not {shown(values)}.", field)
    if kind == "choice":
        return Dimension(field, "choice", _choice(field, values))
    return Dimension(field, kind, _ends(field, kind, values))


def _choice(field: str, values: list[Any]) -> tuple[Any, ...]:
    for value in values:
        if not (value is None or isinstance(value, str | int | float)) or not math.isfinite(_as_number(value)):
            plain = "plain values (texts, numbers, true, false and null)"
            raise InvalidInput(f"{field}: a choice must be between {plain}, not {shown(value)}.", field)
    if len(set(values)) < len(values):
        raise InvalidInput(f"{field}: the choice {values} has a value twice: remove one of them.", field)
    return tuple(values)


def _as_number(value: Any) -> float:
    return value if isinstance(value, float) else 0.0


def _ends(field: str, kind: Kind, values: list[Any]) -> tuple[Any, Any]:
    if len(values) != 2:
        raise InvalidInput(f"{field}: {kind} needs the two ends [low, high], not {values}.", field)
    low, high = (_number(field, value, kind == "int") for value in values)
    if low >= high:
        raise InvalidInput(f"{field}: {kind} needs low < high, not {values}.", field)
    if kind == "loguniform" and low <= 0:
        raise InvalidInput(f"{field}: loguniform needs ends above 0, not {values}.", field)
    return low, high


def _number(field: str, value: Any, whole: bool) -> Any:
    """Return a number, also from a text: YAML reads 1e-5 (without a point) as one."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number) or (whole and number != int(number)):
        raise InvalidInput(f"{field}: {shown(value)} is not a {'whole ' if whole else ''}number.", field)
    return int(number) if whole else number
