"""The loop of the default model: over a stream of batches, its schedule by steps or by the clock, in one process."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor, nn

from sentiment.training.batches import Batch
from sentiment.training.optimizers import make_optimizer, set_rate
from sentiment.training.schedules import learning_rate_factor

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoopConfig:
    """Hyperparameters of the loop. At `most_seconds` the run ends as if by its last step.

    The learning rate rises over the first `warm_up` of the run, then falls to `last_rate` times its peak.
    """

    learning_rate: float = 1.2e-4
    weight_decay: float = 0.01
    warm_up: float = 0.06
    last_rate: float = 0.0
    gradient_norm: float = 1.0
    most_seconds: float = float("inf")
    checkpoint_every_steps: int = 500
    log_every_steps: int = 50
    bfloat16: bool = True


@dataclass
class TrainingState:
    """How far a run has come: steps done, seconds spent in all its lives, the losses since the last log line."""

    step: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)


def train(
    model: nn.Module,
    batches: Iterator[Batch],
    steps: int,
    loss_of: Callable[[Tensor, Batch], Tensor],
    config: LoopConfig,
    checkpoint: Path | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> TrainingState:
    """Train `model` in place on at most `steps` batches and return how far it came.

    `loss_of` gets the logits (float32) and the batch. With `checkpoint` the run is saved there now and then; if the
    file exists, the run goes on from it: `batches` must come in the same order again, those already seen are skipped. A
    run that is done does no more steps.
    """
    optimizer = make_optimizer("adamw", model, config.learning_rate, config.weight_decay)
    state = _resume(checkpoint, model, optimizer) if checkpoint else TrainingState()
    model.train()
    began = clock() - state.seconds
    for batch in islice(batches, state.step, steps):
        progress = max(state.step / steps, (clock() - began) / config.most_seconds)
        if progress >= 1.0:
            break
        set_rate(optimizer, config.learning_rate * learning_rate_factor(progress, config.warm_up, config.last_rate))
        state.losses.append(_step(model, batch, optimizer, loss_of, config))
        state.step, state.seconds = state.step + 1, clock() - began
        _report(state, progress, steps, config)
        if checkpoint and state.step % config.checkpoint_every_steps == 0:
            _save(checkpoint, model, optimizer, state)
    if checkpoint:
        _save(checkpoint, model, optimizer, state)
    return state


def logits_of(model: nn.Module, batches: Iterable[Batch]) -> Tensor:
    """Return the logits [rows, labels] of a trained model (float32), in the order of the batches."""
    model.eval()
    with torch.inference_mode():
        return torch.cat([model(batch.input_ids, batch.attention_mask) for batch in batches])


def _step(
    model: nn.Module,
    batch: Batch,
    optimizer: torch.optim.Optimizer,
    loss_of: Callable[[Tensor, Batch], Tensor],
    config: LoopConfig,
) -> float:
    with torch.autocast("cpu", torch.bfloat16, enabled=config.bfloat16):
        logits = model(batch.input_ids, batch.attention_mask)
    loss = loss_of(logits.float(), batch)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(model.parameters(), config.gradient_norm)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.item()


def _report(state: TrainingState, progress: float, steps: int, config: LoopConfig) -> None:
    if state.step % config.log_every_steps == 0:
        mean = sum(state.losses) / len(state.losses)
        _LOG.info(
            "step %d of %d, %.1f %% of the run, loss %.4f, %.0f s",
            state.step,
            steps,
            100 * progress,
            mean,
            state.seconds,
        )
        state.losses.clear()


def _save(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, state: TrainingState) -> None:
    content = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "random": torch.get_rng_state(),
        "step": state.step,
        "seconds": state.seconds,
    }
    unfinished = path.with_suffix(".unfinished")
    torch.save(content, unfinished)
    unfinished.replace(path)


def _resume(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> TrainingState:
    if not path.exists():
        return TrainingState()
    content = torch.load(path, weights_only=True)
    model.load_state_dict(content["model"])
    optimizer.load_state_dict(content["optimizer"])
    torch.set_rng_state(content["random"])
    _LOG.info("taking up the run of %s after step %d", path, content["step"])
    return TrainingState(step=content["step"], seconds=content["seconds"])
