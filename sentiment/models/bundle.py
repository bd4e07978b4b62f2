"""A model to train or to serve, with all that travels with it; and its hyperparameters changed by name."""

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

#: Types of the configs' fields: a size, a width that may be left out, and a share of numbers dropped.
Size = Annotated[int, Field(ge=1, le=1 << 24)]
SizeOrNone = Annotated[int, Field(ge=0, le=1 << 24)]
Share = Annotated[float, Field(ge=0.0, lt=1.0)]


@dataclass(frozen=True)
class Start:
    """A classifier, its shape, the tokenizer that it reads with, and the name of its architecture in the zoo.

    `model(input_ids, attention_mask)`, int64 [batch, tokens], returns logits [batch, labels]. `steps` are done to a
    text before it is tokenised (`sentiment.text.steps`).
    """

    model: nn.Module
    config: Any
    tokenizer: Tokenizer
    architecture: str
    steps: tuple[str, ...] = ()


@dataclass(frozen=True)
class ParameterCounts:
    """How many numbers a model holds, and how many of them training moves."""

    all: int
    trained: int


def count_parameters(model: nn.Module) -> ParameterCounts:
    """Count the parameters of `model`; the frozen ones are not trained."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return ParameterCounts(sum(size for size, _ in sizes), sum(size for size, moved in sizes if moved))


def checked(config: type[ConfigT], values: Mapping[str, object]) -> ConfigT:
    """Return a config dataclass of these values, each checked against its field's type and bounds.

    Raises:
        InvalidInput: a field is unknown, missing or wrong; `field` names it.
    """
    known = [field.name for field in fields(config)]  # type: ignore[arg-type]  # every config is a dataclass
    for name in values.keys() - set(known):
        raise InvalidInput(f"{config.__name__} has no {name!r}; it has {', '.join(known)}", name)
    try:
        return TypeAdapter(config).validate_python(dict(values))
    except ValidationError as exc:
        problem = exc.errors(include_url=False)[0]
        name = ".".join(str(part) for part in problem["loc"])
        raise InvalidInput(f"{config.__name__}: {name or 'it'}: {in_words(problem)}", name) from None


def overridden(config: ConfigT, overrides: Mapping[str, object]) -> ConfigT:
    """Return a config dataclass with some of its fields changed by name.

    Raises:
        InvalidInput: there is no such field, or the value cannot be; `field` names it.
    """
    present = {field.name: getattr(config, field.name) for field in fields(config)}  # type: ignore[arg-type]
    return checked(type(config), {**present, **overrides})
