"""A checkpoint folder: the model as the zoo saves it, and everything that a run needs to continue exactly."""

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
class RunIdentity:
    """What must be equal whenever a run is resumed."""

    config: Mapping[str, Any]
    data_digest: str
    """Of its tokenised texts, as `TrainingData.digest`."""
    workers: int = 1


@dataclass
class TrainingProgress:
    """The state of a run beside its weights; torch's generators are not in it, because each batch has its own seed."""

    epoch: int = 0
    """Completed epochs."""
    batches: int = 0
    """Completed batches of the present epoch."""
    step: int = 0
    seconds: float = 0.0
    """Time of all steps, also before a resume."""
    sums: list[float] = field(default_factory=lambda: [0.0] * 4)
    """Since the last validation: losses, correct predictions, labelled texts, all texts."""
    history: list[dict[str, Any]] = field(default_factory=list)
    """Figures of each validation."""
    stopper: EarlyStopping = field(default_factory=lambda: EarlyStopping("macro_recall"))
    finished: bool = False


def save_checkpoint(
    folder: Path,
    start: ModelBundle,
    learner: Learner,
    optimizer: torch.optim.Optimizer,
    progress: TrainingProgress,
    identity: RunIdentity,
) -> None:
    """Write a checkpoint into `folder`: the model in `model/`, the rest in `state.pt`.

    Raises:
        OSError: the disk is full or cannot be written.
    """
    content = {
        "config": dict(identity.config),
        "material": identity.data_digest,
        "workers": identity.workers,
        "optimizer": optimizer.state_dict(),
        "projection": learner.projection.state_dict() if learner.projection else None,
        "progress": asdict(progress),
    }
    try:
        save_model(start, folder / MODEL)
        torch.save(content, folder / STATE)
    except (RuntimeError, SafetensorError) as exc:  # neither library says that the disk is full
        if shutil.disk_usage(folder).free < _LEAST_FREE_BYTES:
            raise OSError(errno.ENOSPC, "No space left on device", str(folder)) from exc
        raise


def load_checkpoint(
    folder: Path, start: ModelBundle, learner: Learner, optimizer: torch.optim.Optimizer, identity: RunIdentity
) -> TrainingProgress:
    """Load a checkpoint into a model, a learner and an optimiser of the same shapes; return the state of its run.

    Raises:
        Conflict: its run has another configuration (the error names the field), number of workers, or other texts.
        ModelRejected: it is of another architecture, or damaged.
    """
    content = _state(folder)
    require_same(content["config"], identity.config)
    require_workers(content.get("workers", identity.workers), identity.workers)  # early checkpoints do not say
    if content.get("material", identity.data_digest) != identity.data_digest:
        raise Conflict(
            "the run of this name was started on other texts or with another tokenizer: the dataset, the file of "
            "distill.unlabelled or the preset has changed since. Restore it, or give the new run another --name"
        )
    saved = load_model(folder / MODEL, like=start)
    start.model.load_state_dict(saved.model.state_dict())
    optimizer.load_state_dict(content["optimizer"])
    if learner.projection and content["projection"] is not None:
        learner.projection.load_state_dict(content["projection"])
    progress = content["progress"]
    return TrainingProgress(**{**progress, "stopper": EarlyStopping(**progress["stopper"])})


def require_same(saved: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Raise Conflict, naming the field, unless a run that was started with `saved` may be resumed with `config`."""
    started = {**TrainConfig().to_mapping(), **saved}  # fields that are newer than the run have their defaults
    for name, value in config.items():
        if name not in _MAY_DIFFER and started.get(name) != value:
            raise Conflict(
                f"the run of this name was started with {name} {shown(started.get(name))}, not {shown(value)}: "
                "resume it with the same configuration, or give the new run another --name"
            )


def require_workers(started: int, requested: int) -> None:
    """Raise Conflict unless a run that was `started` with so many workers may be resumed with `requested` ones.

    A step takes the batches of all workers: with another number, the steps would differ.
    """
    if started != requested:
        raise Conflict(
            f"the run of this name was started with --workers {started}, not {requested}: resume it with --workers "
            f"{started}, or give the new run another --name",
            "workers",
        )


def _state(folder: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = torch.load(folder / STATE, weights_only=True, map_location="cpu")
    except Exception as exc:  # a broken file makes torch raise nearly anything
        raise ModelRejected(
            f"{folder / STATE} cannot be read as a checkpoint ({exc}): delete the folder of that run, or give another "
            "--name"
        ) from exc
    return content
