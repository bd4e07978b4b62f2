"""Averages the weights of several models into one, which is often better than each of them (a model soup)."""

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
    """Return a model whose weights are the mean of those of `models`.

    They must have the same architecture, config, steps and vocabulary, and should be fine-tuned from one pretrained
    model: only then do their weights correspond (Wortsman et al. 2022, "Model soups").

    Raises:
        InvalidInput: there is none, or two differ.
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
    """Return the greedy soup: starting with the best model, each next best joins unless that lowers the score.

    Returns the average, the positions of its members (the best first), and its score (higher is better).

    Raises: what `average` does.
    """
    _alike(models)
    scores = [score(model) for model in models]
    order = sorted(range(len(models)), key=lambda place: -scores[place])
    chosen, best, mean = order[:1], scores[order[0]], models[order[0]]
    for place in order[1:]:
        candidate = average([models[member] for member in (*chosen, place)])
        if (candidate_score := score(candidate)) >= best:
            chosen, best, mean = [*chosen, place], candidate_score, candidate
    return mean, chosen, best


def uniform(
    models: Sequence[ModelBundle], score: Callable[[ModelBundle], float]
) -> tuple[ModelBundle, list[int], float]:
    """Return the average of all models in the form of `greedy`, whatever their scores.

    If future texts differ from the validation texts, a model with a lower score may still help.

    Raises: what `average` does.
    """
    mean = average(models)
    scores = [score(model) for model in models]
    return mean, sorted(range(len(models)), key=lambda place: -scores[place]), score(mean)


def _alike(models: Sequence[ModelBundle]) -> ModelBundle:
    if not models:
        raise InvalidInput("There is no model to average: name at least one.", "models")
    first = models[0]
    for other in models[1:]:
        if (other.architecture, _shape(other.config)) != (first.architecture, _shape(first.config)):
            raise InvalidInput(
                f"A {other.architecture} of {other.config} and a {first.architecture} of {first.config} cannot be "
                "averaged: name models of one architecture and config.",
                "models",
            )
        if other.steps != first.steps:
            raise InvalidInput(
                f"The models use different text steps, {listed(other.steps)} and {listed(first.steps)}: name models "
                "with the same steps.",
                "models",
            )
        if other.tokenizer.get_vocab() != first.tokenizer.get_vocab():
            raise InvalidInput(
                "The models have different vocabularies and cannot be averaged: name models with the same tokenizer.",
                "models",
            )
    return first


def _shape(config: Any) -> dict[str, Any]:
    """Return the fields of a config that determine the shapes of the weights: all but dropout."""
    fields = {name: _shape(value) if is_dataclass(value) else value for name, value in vars(config).items()}
    return {name: value for name, value in fields.items() if name != "dropout"}


def _mean(tensors: Sequence[Tensor]) -> Tensor:
    if not tensors[0].is_floating_point():
        return tensors[0]
    return torch.stack([tensor.float() for tensor in tensors]).mean(dim=0).to(tensors[0].dtype)
