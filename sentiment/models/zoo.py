"""The model zoo: every architecture by name, and one way to build, save and load models."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from sentiment.errors import InvalidInput, ModelRejected
from sentiment.models.architectures.bert_gru import BertGruClassifier, BertGruConfig
from sentiment.models.architectures.cnn import CnnClassifier, CnnConfig
from sentiment.models.architectures.encoder import EncoderClassifier, EncoderConfig
from sentiment.models.architectures.lstm import LstmClassifier, LstmConfig
from sentiment.models.architectures.wrapped import HubClassifier, HubConfig
from sentiment.models.bundle import ModelBundle, ParameterCounts, checked, count_parameters
from sentiment.models.huggingface.checkpoint import NOT_SHAPE, STEPS_FIELD, read_config, read_tokenizer
from sentiment.models.huggingface.pretrained import PretrainedClassifier, PretrainedConfig
from sentiment.models.huggingface.weights import WEIGHTS, read_tensors
from sentiment.models.presets import PRESETS, build
from sentiment.text.steps import steps_problem
from sentiment.validation_messages import listed, shown
from sentiment.version import CONFIG, TOKENIZER

__all__ = [
    "ARCHITECTURES",
    "PRESETS",
    "Architecture",
    "ModelBundle",
    "ParameterCounts",
    "build",
    "count_parameters",
    "load_model",
    "save_model",
]


@dataclass(frozen=True)
class Architecture:
    """An architecture: its config dataclass, and the function that builds a network from a config."""

    config: type[Any]
    model: Callable[[Any], nn.Module]


ARCHITECTURES: Final[Mapping[str, Architecture]] = MappingProxyType(
    {
        "lstm": Architecture(LstmConfig, LstmClassifier),
        "cnn": Architecture(CnnConfig, CnnClassifier),
        "bert-gru": Architecture(BertGruConfig, BertGruClassifier),
        "encoder": Architecture(EncoderConfig, EncoderClassifier),
        "hub": Architecture(HubConfig, HubClassifier),
        "pretrained": Architecture(PretrainedConfig, PretrainedClassifier),
    }
)


def save_model(start: ModelBundle, folder: Path) -> None:
    """Write `config.json` (with the architecture), `tokenizer.json` and `model.safetensors` into `folder`.

    A missing folder is created. The weights come last: a folder without them is incomplete.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = {"architecture": start.architecture, **asdict(start.config)}
    if start.steps:
        content[STEPS_FIELD] = list(start.steps)
    (folder / CONFIG).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    start.tokenizer.save(str(folder / TOKENIZER), pretty=False)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in start.model.state_dict().items()}
    save_file(tensors, folder / WEIGHTS)


def load_model(folder: Path, like: ModelBundle | None = None) -> ModelBundle:
    """Load what `save_model` wrote, or a full version folder; the network is in evaluation mode on the CPU.

    With `like`, the model must have the same architecture and config.

    Raises:
        ModelRejected: a file is missing or damaged, or the architecture or a shape differs; the message names both.
    """
    content = read_config(folder)
    architecture, config = _config(folder, content)
    if like is not None:
        _require_like(folder, architecture, config, like)
    model = ARCHITECTURES[architecture].model(config)
    _fill(model, read_tensors(folder), folder)
    tokenizer = read_tokenizer(folder)
    pieces = tokenizer.get_vocab_size()
    if pieces > config.vocabulary:
        raise ModelRejected(
            f"{folder / TOKENIZER} has {pieces} pieces, but the {architecture} model has {config.vocabulary}: the "
            "files are not of one model"
        )
    return ModelBundle(model.eval(), config, tokenizer, architecture, _steps(folder, content))


def _config(folder: Path, content: Mapping[str, Any]) -> tuple[str, Any]:
    name = content.get("architecture")
    if name not in ARCHITECTURES:
        raise ModelRejected(
            f"{folder / CONFIG} names architecture {shown(name)}; known are {listed(sorted(ARCHITECTURES))}"
        )
    kind = ARCHITECTURES[str(name)]
    try:
        return str(name), checked(kind.config, {key: value for key, value in content.items() if key not in NOT_SHAPE})
    except InvalidInput as exc:
        raise ModelRejected(f"{folder / CONFIG} does not describe a {name} model: {exc}") from exc


def _steps(folder: Path, content: Mapping[str, Any]) -> tuple[str, ...]:
    steps = content.get(STEPS_FIELD, [])
    problem = steps_problem(steps) if isinstance(steps, list) else f"steps {shown(steps)} is no list"
    if problem:
        raise ModelRejected(f"{folder / CONFIG}: {problem}")
    return tuple(steps)


def _require_like(folder: Path, architecture: str, config: Any, like: ModelBundle) -> None:
    if architecture != like.architecture:
        raise ModelRejected(f"{folder} holds a {architecture} model, not a {like.architecture} model")
    if config != like.config:
        raise ModelRejected(f"{folder} holds a model with another config: {_differences(config, like.config)}")


def _differences(config: Any, expected: Any) -> str:
    theirs, ours = asdict(config), asdict(expected)
    return listed(
        f"{name} {shown(theirs[name])}, not {shown(ours[name])}" for name in ours if theirs[name] != ours[name]
    )


def _fill(model: nn.Module, tensors: Mapping[str, Tensor], folder: Path) -> None:
    expected = model.state_dict()
    for name in sorted(expected.keys() | tensors.keys()):
        actual_shape, expected_shape = (_shape(part.get(name)) for part in (tensors, expected))
        if actual_shape != expected_shape:
            raise ModelRejected(
                f"{folder / WEIGHTS}: {name} is {actual_shape} here, but {expected_shape} in the model of {CONFIG}: "
                "the two files are not of one model"
            )
    with torch.no_grad():
        model.load_state_dict(dict(tensors))


def _shape(tensor: Tensor | None) -> str:
    return "not there" if tensor is None else " x ".join(map(str, tensor.shape)) or "one number"
