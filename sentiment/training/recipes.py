"""The training defaults of presets that differ from the general ones; one table for all jobs that train."""

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
    """Return the configuration fields that a preset changes; none for other names."""
    return RECIPES.get(preset, {}) if isinstance(preset, str) else {}
