"""A checkpoint folder: the model as the zoo saves it, and all else that a run needs to go on as if never ended."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError

from sentiment.errors import Conflict, ModelRejected
from sentiment.models.bundle import ModelBundle
from sentiment.models.zoo import load_model, save_model
from sentiment.training.config import TrainConfig
from sentiment.training.objectives.learner import Learner
from sentiment.training.optimisation.early_stopping import EarlyStopping
from sentiment.validation_messages import shown

MODEL: Final = "model"
STATE: Final = "state.pt"

_LEAST_FREE_BYTES: Final = 1 << 20
_MAY_DIFFER: Final = frozenset({"threads", "most_failures", "most_seconds"})


@dataclass(frozen=True)
class Terms:
    """What all lives of a run have in common: its configuration, the digest of its texts, its number of workers."""

    config: Mapping[str, Any]
    material: str
    workers: int = 1


@dataclass
class TrainingProgress:
    """How far a run is: whole epochs, batches of the one under way, steps; the sums since the last validation.

    `sums` are the losses, the texts told right, the labelled texts and all texts. `history` has an entry a validation.
    `seconds` are those of the steps, of all lives of the run. Nothing of
    torch's generators is kept: each batch draws from a seed of its own.
    """

    epoch: int = 0
    batches: int = 0
    step: int = 0
    seconds: float = 0.0
    sums: list[float] = field(default_factory=lambda: [0.0] * 4)
    history: list[dict[str, Any]] = field(default_factory=list)
    stopper: EarlyStopping = field(default_factory=lambda: EarlyStopping("macro_recall"))
    finished: bool = False


def save_checkpoint(
    folder: Path,
    start: ModelBundle,
    learner: Learner,
    optimizer: torch.optim.Optimizer,
    progress: TrainingProgress,
    terms: Terms,
) -> None:
    """Write a checkpoint into `folder`: the model in `model/`, the rest in `state.pt`.

    Raises:
        OSError: the disk is full, or cannot be written to.
    """
    content = {
        "config": dict(terms.config),
        "material": terms.material,
        "workers": terms.workers,
        "optimizer": optimizer.state_dict(),
        "projection": learner.projection.state_dict() if learner.projection else None,
        "progress": asdict(progress),
    }
    try:
        save_model(start, folder / MODEL)
        torch.save(content, folder / STATE)
    except (RuntimeError, SafetensorError) as exc:  # neither library says of a full disk that it is one
        if shutil.disk_usage(folder).free < _LEAST_FREE_BYTES:
            raise OSError(errno.ENOSPC, "No space left on device", str(folder)) from exc
        raise


def load_checkpoint(
    folder: Path, start: ModelBundle, learner: Learner, optimizer: torch.optim.Optimizer, terms: Terms
) -> TrainingProgress:
    """Load a checkpoint into a model, a learner and an optimiser of the same shapes; return how far its run was.

    Raises:
        Conflict: it is of a run with another configuration, naming the field, with another number of workers, or on
            other texts.
        ModelRejected: it is of another architecture, or broken.
    """
    content = _state(folder)
    require_same(content["config"], terms.config)
    require_workers(content.get("workers", terms.workers), terms.workers)  # checkpoints did not always tell
    if content.get("material", terms.material) != terms.material:
        raise Conflict(
            "the run under this name was begun on other texts, or by a code that cuts them into other pieces: what was "
            "learned from, such as the file of distill.unlabelled, or the preset, has changed since. Bring it back, or "
            "give the new run another --name"
        )
    saved = load_model(folder / MODEL, like=start)
    start.model.load_state_dict(saved.model.state_dict())
    optimizer.load_state_dict(content["optimizer"])
    if learner.projection and content["projection"] is not None:
        learner.projection.load_state_dict(content["projection"])
    progress = content["progress"]
    return TrainingProgress(**{**progress, "stopper": EarlyStopping(**progress["stopper"])})


def require_same(saved: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Raise Conflict, naming the field, unless a run that was begun with `saved` may go on with `config`."""
    begun = {**TrainConfig().to_mapping(), **saved}  # a field that was not known then has its default
    for name, value in config.items():
        if name not in _MAY_DIFFER and begun.get(name) != value:
            raise Conflict(
                f"the run under this name was begun with {name} {shown(begun.get(name))}, not {shown(value)}: "
                "go on with the same configuration, or give the new run another --name"
            )


def require_workers(begun: int, wanted: int) -> None:
    """Raise Conflict unless a run that was begun with so many workers may go on with `wanted` ones.

    A step takes the batches of all workers: with another number there are other steps, and others of them.
    """
    if begun != wanted:
        raise Conflict(
            f"the run under this name was begun with --workers {begun}, not {wanted}: go on with --workers {begun}, or "
            "give the new run another --name",
            "workers",
        )


def _state(folder: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = torch.load(folder / STATE, weights_only=True, map_location="cpu")
    except Exception as exc:  # a broken file makes torch raise nearly anything
        raise ModelRejected(
            f"{folder / STATE} is no checkpoint ({exc}); remove that run's folder, or name another"
        ) from exc
    return content
