"""A model to train or to serve, with all that travels with it; and its hyperparameters changed by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from tokenizers import Tokenizer
from torch import nn

from sentiment.errors import InvalidInput

ConfigT = TypeVar("ConfigT")


@dataclass(frozen=True)
class Start:
    """A classifier, its shape, the tokenizer that it reads with, and the name of its architecture in the zoo.

    `model(input_ids, attention_mask)`, int64 [batch, tokens], returns logits [batch, labels].
    """

    model: nn.Module
    config: Any
    tokenizer: Tokenizer
    architecture: str


@dataclass(frozen=True)
class ParameterCounts:
    """How many numbers a model holds, and how many of them training moves."""

    all: int
    trained: int


def count_parameters(model: nn.Module) -> ParameterCounts:
    """Count the parameters of `model`; the frozen ones are not trained."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return ParameterCounts(sum(size for size, _ in sizes), sum(size for size, moved in sizes if moved))


def overridden(config: ConfigT, overrides: Mapping[str, object]) -> ConfigT:
    """Return a config dataclass with some of its fields changed by name.

    Raises:
        InvalidInput: there is no such field, or the value is not of its type; `field` names it.
    """
    known = [field.name for field in fields(config)]  # type: ignore[arg-type]  # every config is a dataclass
    changes = {}
    for name, value in overrides.items():
        if name not in known:
            raise InvalidInput(f"{type(config).__name__} has no {name!r}; it has {', '.join(known)}", name)
        changes[name] = _as_type_of(getattr(config, name), value, name)
    return replace(config, **changes)  # type: ignore[type-var]


def _as_type_of(present: object, value: object, name: str) -> object:
    if isinstance(present, tuple) and isinstance(value, list):
        return tuple(value)
    if isinstance(present, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(present):
        raise InvalidInput(f"{name} = {value!r}; it is {type(present).__name__}, such as {present!r}", name)
    return value
