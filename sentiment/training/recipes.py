"""What a preset asks for instead of a training's own defaults: one table for every job that trains."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

_FROM_LITTLE: Final[Mapping[str, Any]] = MappingProxyType({"learning_rate": 1e-3, "epochs": 5})
#: Networks that start from word vectors, or put new layers on a frozen encoder, learn at higher rates and for longer.
RECIPES: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {"lstm": _FROM_LITTLE, "cnn": _FROM_LITTLE, "bert-gru": _FROM_LITTLE}
)


def recipe_of(preset: object) -> Mapping[str, Any]:
    """Return the fields of a configuration that a preset changes; none for what is no preset."""
    return RECIPES.get(preset, {}) if isinstance(preset, str) else {}
