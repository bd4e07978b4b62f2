"""A search space: which fields of a training's configuration vary, and over what. Written as YAML:

train:                                         # what all trials share (may be left out)
  epochs: 5
space:                                         # what varies
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
    """One field that varies: the values of a choice, or the two ends of a range, both included."""

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
        """How many values it has; None: no end of them."""
        if self.kind == "choice":
            return len(self.values)
        return int(self.high - self.low + 1) if self.kind == "int" else None

    def value(self, number: int) -> Any:
        """Return the value of that number, from 0; of a dimension that has a `count`."""
        return self.values[number] if self.kind == "choice" else self.low + number


@dataclass(frozen=True)
class Space:
    """What varies, and what all trials share (fields of a training's configuration)."""

    dimensions: tuple[Dimension, ...]
    shared: Mapping[str, Any]

    @property
    def size(self) -> int | None:
        """How many points it has; None: no end of them."""
        counts = [dimension.count for dimension in self.dimensions]
        return None if None in counts else math.prod(count for count in counts if count)

    @property
    def has_choices_only(self) -> bool:
        """Whether every field varies between values that the space names."""
        return all(dimension.kind == "choice" for dimension in self.dimensions)

    def require_size(self) -> int:
        """Return how many points it has.

        Raises:
            InvalidInput: a dimension has no end of values, naming it.
        """
        for each in self.dimensions:
            if each.count is None:
                raise InvalidInput(
                    f"{each.field}: a grid cannot go through {each.kind}; write {{choice: […]}} for it, or search at "
                    "random.",
                    each.field,
                )
        return self.size or 0

    def point(self, number: int) -> Point:
        """Return the point of that number, from 0 up to `size`, the last dimension moving fastest."""
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
        raise InvalidInput(f"There is no file {name}, and no such space ships (there are {shipped}).", "space")
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
    """Read a space from what its YAML says.

    Raises:
        InvalidInput: naming the field that is wrong and what it may be.
    """
    if not isinstance(content, Mapping) or not isinstance(content.get("space"), Mapping) or not content["space"]:
        raise InvalidInput("A space needs a mapping `space` from fields to what they vary over.", "space")
    for name in content:
        if name not in _PARTS:
            raise InvalidInput(f"{name!r} has no place in a space; it has {' and '.join(_PARTS)}.", str(name))
    shared = content.get("train") or {}
    if not isinstance(shared, Mapping):
        raise InvalidInput("`train` must be a mapping from fields to values.", "train")
    dimensions = tuple(_dimension(str(name), spec) for name, spec in content["space"].items())
    for dimension in dimensions:
        if dimension.field in shared:
            raise InvalidInput(f"{dimension.field}: it varies and is fixed under `train`, too.", dimension.field)
    return Space(dimensions, MappingProxyType(dict(shared)))


def configured(base: Mapping[str, Any], point: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration's mapping with a point's values in it; a dot leads into a mapping.

    Raises:
        InvalidInput: it leads into something else; the error names that.
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
        raise InvalidInput(f"{field}: there is no {kind!r}; write {_FORM}.", field)
    if not isinstance(values, list) or not values:
        raise InvalidInput(f"{field}: {kind} needs a list, not {shown(values)}.", field)
    if kind == "choice":
        return Dimension(field, "choice", _choice(field, values))
    return Dimension(field, kind, _ends(field, kind, values))


def _choice(field: str, values: list[Any]) -> tuple[Any, ...]:
    for value in values:
        if not (value is None or isinstance(value, str | int | float)) or not math.isfinite(_as_number(value)):
            plain = "plain values (texts, numbers, true, false and null)"
            raise InvalidInput(f"{field}: a choice is between {plain}, not {shown(value)}.", field)
    if len(set(values)) < len(values):
        raise InvalidInput(f"{field}: a value stands twice in the choice {values}.", field)
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
    """Return a number; YAML reads 1e-5 (without a point) as text."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number) or (whole and number != int(number)):
        raise InvalidInput(f"{field}: {shown(value)} is no {'whole ' if whole else ''}number.", field)
    return int(number) if whole else number
