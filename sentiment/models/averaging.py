"""The mean of several models' weights: one model as fast as each, often better than all (a model soup)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sentiment.errors import InvalidInput
from sentiment.models.bundle import ModelBundle
from sentiment.validation_messages import listed


def average(models: Sequence[ModelBundle]) -> ModelBundle:
    """Return a model whose weights are the mean of those of `models`, which must be of one shape, one vocabulary and
    the same steps.

    They should come from one pretrained start: only then do their weights mean the same (Wortsman et al. 2022, "Model
    soups").

    Raises:
        InvalidInput: there is none, or two differ in architecture, shape, steps or vocabulary.
    """
    first = _alike(models)
    parts = [model.model.state_dict() for model in models]
    mean = {name: _mean([part[name] for part in parts]) for name in parts[0]}
    network: nn.Module = type(first.model)(first.config)
    network.load_state_dict(mean)
    return ModelBundle(network.eval(), first.config, first.tokenizer, first.architecture, first.steps)


def greedy(
    models: Sequence[ModelBundle], score: Callable[[ModelBundle], float]
) -> tuple[ModelBundle, list[int], float]:
    """Return the greedy soup: from the best model on, each next best joins if the mean does not score less with it.

    With it come the places of those that are in it, the best first, and its score (higher is better).

    Raises: what `average` does.
    """
    _alike(models)
    scores = [score(model) for model in models]
    order = sorted(range(len(models)), key=lambda place: -scores[place])
    chosen, best, mean = order[:1], scores[order[0]], models[order[0]]
    for place in order[1:]:
        tried = average([models[member] for member in (*chosen, place)])
        if (found := score(tried)) >= best:
            chosen, best, mean = [*chosen, place], found, tried
    return mean, chosen, best


def uniform(
    models: Sequence[ModelBundle], score: Callable[[ModelBundle], float]
) -> tuple[ModelBundle, list[int], float]:
    """Return the mean of all models as `greedy` does, whatever each of them scores.

    Where the validation texts are of other times or places than those to come, a model that scores less on them may
    still help.

    Raises: what `average` does.
    """
    mean = average(models)
    scores = [score(model) for model in models]
    return mean, sorted(range(len(models)), key=lambda place: -scores[place]), score(mean)


def _alike(models: Sequence[ModelBundle]) -> ModelBundle:
    if not models:
        raise InvalidInput("There is no model to average.", "models")
    first = models[0]
    for other in models[1:]:
        if (other.architecture, _shape(other.config)) != (first.architecture, _shape(first.config)):
            raise InvalidInput(
                f"A {other.architecture} of {other.config} and a {first.architecture} of {first.config} have no mean.",
                "models",
            )
        if other.steps != first.steps:
            raise InvalidInput(
                f"One reads texts after the steps {listed(other.steps)}, another after {listed(first.steps)}.", "models"
            )
        if other.tokenizer.get_vocab() != first.tokenizer.get_vocab():
            raise InvalidInput("The models have other vocabularies: their weights have no mean.", "models")
    return first


def _shape(config: Any) -> dict[str, Any]:
    """Return what a network's weights depend on: all of its configuration but dropout."""
    fields = {name: _shape(value) if is_dataclass(value) else value for name, value in vars(config).items()}
    return {name: value for name, value in fields.items() if name != "dropout"}


def _mean(tensors: Sequence[Tensor]) -> Tensor:
    if not tensors[0].is_floating_point():
        return tensors[0]
    return torch.stack([tensor.float() for tensor in tensors]).mean(dim=0).to(tensors[0].dtype)
