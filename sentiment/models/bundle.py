"""A model with everything that is needed to train or export it, and checked changes to its hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError
from tokenizers import Tokenizer
from torch import nn

from sentiment.errors import InvalidInput
from sentiment.validation_messages import in_words

ConfigT = TypeVar("ConfigT")

#: Types of the configs' fields: a size, a width where 0 means none, and a dropout rate.
Size = Annotated[int, Field(ge=1, le=1 << 24)]
SizeOrNone = Annotated[int, Field(ge=0, le=1 << 24)]
Share = Annotated[float, Field(ge=0.0, lt=1.0)]


@dataclass(frozen=True)
class ModelBundle:
    """A classifier with its config and its tokenizer."""

    model: nn.Module
    """`model(input_ids, attention_mask)`, int64 [batch, tokens], returns logits [batch, labels]."""
    config: Any
    """Hyperparameters: a dataclass of its architecture."""
    tokenizer: Tokenizer
    architecture: str
    """Name in the zoo."""
    steps: tuple[str, ...] = ()
    """Steps that a text goes through before it is tokenised (`sentiment.text.steps`)."""


@dataclass(frozen=True)
class ParameterCounts:
    """How many parameters a model has, and how many of them are trained."""

    all: int
    trained: int


def count_parameters(model: nn.Module) -> ParameterCounts:
    """Count the parameters of `model`; the frozen ones are not trained."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return ParameterCounts(sum(size for size, _ in sizes), sum(size for size, trained in sizes if trained))


def checked(config: type[ConfigT], values: Mapping[str, object]) -> ConfigT:
    """Return an instance of a config dataclass, each value checked against its field's type and bounds.

    Raises:
        InvalidInput: a field is unknown, missing or wrong; `field` names it.
    """
    names = [field.name for field in fields(config)]  # type: ignore[arg-type]  # every config is a dataclass
    for name in values.keys() - set(names):
        raise InvalidInput(f"{config.__name__} has no field {name!r}; its fields are {', '.join(names)}", name)
    try:
        return TypeAdapter(config).validate_python(dict(values))
    except ValidationError as exc:
        problem = exc.errors(include_url=False)[0]
        name = ".".join(str(part) for part in problem["loc"])
        raise InvalidInput(f"{config.__name__}: {name or 'it'}: {in_words(problem)}", name) from None


def overridden(config: ConfigT, overrides: Mapping[str, object]) -> ConfigT:
    """Return a copy of a config dataclass with some fields changed.

    Raises:
        InvalidInput: there is no such field, or its value is not allowed; `field` names it.
    """
    present = {field.name: getattr(config, field.name) for field in fields(config)}  # type: ignore[arg-type]
    return checked(type(config), {**present, **overrides})
