"""Classifiers that others trained: a Hugging Face folder with its head, as a model of the zoo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

import torch
from torch import Tensor

from sentiment.errors import ModelRejected
from sentiment.labels import LABEL_SETS
from sentiment.models.checkpoint import Checkpoint, read_checkpoint
from sentiment.models.encoder import EncoderClassifier, load_body
from sentiment.models.start import Start
from sentiment.wording import listed

_Head = tuple[Literal["tanh", "relu"], str, str]
#: How each kind's head is named: what stands between its two layers, and their names.
_HEADS: Final[Mapping[str, _Head]] = {
    "bert": ("tanh", "pooler.dense", "classifier"),
    "distilbert": ("relu", "pre_classifier", "classifier"),
    "roberta": ("tanh", "classifier.dense", "classifier.out_proj"),
}
_SHORT: Final = {"neg": "negative", "neu": "neutral", "pos": "positive"}
_UNNAMED: Final = "label_"


def import_classifier(folder: Path) -> Start:
    """Read a fine-tuned BERT, RoBERTa or DistilBERT classifier; its labels are put in the order of our label sets.

    The model says what it said before, to rounding. Labels that have no names (`LABEL_0` …) are taken in their order.

    Raises:
        ModelRejected: it is of another kind, has no head, or its labels are none of our sets: naming them.
    """
    found = read_checkpoint(folder)
    order = label_order(found.origin, folder)
    activation, dense, out = _HEADS.get(str(found.origin.get("model_type")), _HEADS["roberta"])
    config = replace(found.config, labels=len(order), pooling="first", head=activation)
    model = EncoderClassifier(config)
    load_body(model, found.state | _head(found, dense, out, order, folder))
    return Start(model.eval(), config, found.tokenizer, "encoder")


def label_order(origin: Mapping[str, Any], folder: Path) -> list[int]:
    """Return, for each label of our set, the place that it has in a Hugging Face model's answers.

    Raises:
        ModelRejected: its labels are none of our sets.
    """
    names = {int(place): str(name).lower() for place, name in (origin.get("id2label") or {}).items()}
    spelt = [_SHORT.get(names.get(place, ""), names.get(place, "")) for place in range(len(names))]
    for labels in LABEL_SETS.values():
        if sorted(spelt) == sorted(labels):
            return [spelt.index(label) for label in labels]
        if len(spelt) == len(labels) and all(name.startswith(_UNNAMED) for name in spelt):
            return list(range(len(labels)))
    sets = " or ".join(listed(labels) for labels in LABEL_SETS.values())
    raise ModelRejected(f"{folder} answers with labels {listed(names.values())}; this code knows {sets}")


def _head(found: Checkpoint, dense: str, out: str, order: Sequence[int], folder: Path) -> dict[str, Tensor]:
    try:
        tensors = {f"dense.{kind}": found.tensors[f"{dense}.{kind}"] for kind in ("weight", "bias")}
        rows = torch.tensor(order)
        tensors |= {f"head.{kind}": found.tensors[f"{out}.{kind}"][rows] for kind in ("weight", "bias")}
    except KeyError as exc:
        raise ModelRejected(
            f"{folder} has no tensor {exc}: it is no classifier with a head. Fine-tune it as preset `hub` first"
        ) from exc
    return tensors
