"""The training loop: steps, validations and checkpoints, without Ray; a watcher gets the figures and checkpoints."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sentiment.errors import InvalidInput
from sentiment.models.bundle import ModelBundle
from sentiment.training.batching.batches import Batch
from sentiment.training.batching.plan import PlanPiece, TrainingStep
from sentiment.training.checkpoint import RunIdentity, TrainingProgress, load_checkpoint, save_checkpoint
from sentiment.training.config import TrainConfig
from sentiment.training.objectives.learner import Learner
from sentiment.training.objectives.objective import TrainingData, dtype_of, row_loss
from sentiment.training.optimisation.early_stopping import EarlyStopping, score_of
from sentiment.training.optimisation.optimizers import make_optimizer, set_rate
from sentiment.training.optimisation.schedules import learning_rate_factor
from sentiment.training.team import ALONE, Team
from sentiment.training.validation import figures_of_logits, held_out_logits

_REPORT_STEPS: Final = 10
#: By default there is a checkpoint after each twentieth of a run, but not more often than the least number of steps.
_CHECKPOINTS: Final = 20
_LEAST_BETWEEN_CHECKPOINTS: Final = 200


class Watcher(Protocol):
    """Gets reports and checkpoints from the loop; all workers call its methods at the same steps."""

    def report(self, figures: Mapping[str, float]) -> None:
        """Take the latest figures: step, loss, learning rate, throughput."""

    def keep(self, figures: Mapping[str, float], write: Callable[[Path], None]) -> None:
        """Store a checkpoint, which `write` puts into a folder; after a validation, `figures` has a `score`."""


def steps_between_checkpoints(config: TrainConfig, total_steps: int) -> int:
    """Return the number of steps between two checkpoints; validations write further ones."""
    itself = max(_LEAST_BETWEEN_CHECKPOINTS, math.ceil(total_steps / _CHECKPOINTS))
    return config.checkpoint_every_steps or itself


class TrainingLoop:
    """A training run on one worker."""

    def __init__(
        self, start: ModelBundle, data: TrainingData, config: TrainConfig, watcher: Watcher, team: Team = ALONE
    ) -> None:
        self.start, self.data, self.config, self.team = start, data, config, team
        self._watcher = watcher
        start.model.to(team.device)
        states = data.targets.states if data.targets else None
        self.learner = Learner(start, None if states is None else states.shape[1]).to(team.device)
        self._optimizer = make_optimizer(config.optimizer, self.learner, config.learning_rate, config.weight_decay)
        self._loss = row_loss(config, data, start.config.labels, team.device)
        self._total_steps = data.plan.total_steps
        self._keep_every = steps_between_checkpoints(config, self._total_steps)
        self.dtype = dtype_of(config.dtype, team.device)
        self.progress = TrainingProgress(stopper=EarlyStopping(config.monitor, config.patience))
        self._texts, self._busy_s, self._mark = 0, 0.0, 0.0
        self._sums = torch.zeros(4, dtype=torch.float64)

    def resume(self, folder: Path) -> None:
        """Load the state of a checkpoint. Raises what `load_checkpoint` does."""
        self.progress = load_checkpoint(folder, self.start, self.learner, self._optimizer, self._identity)
        if self.team.rank:
            self.progress.sums = [0.0] * len(self.progress.sums)

    @property
    def _identity(self) -> RunIdentity:
        return RunIdentity(self.config.to_mapping(), self.data.digest, self.data.plan.workers)

    def run(self) -> TrainingProgress:
        """Train from the present state to the end and return the final state.

        Raises:
            InvalidInput: the training diverged; every worker raises it.
        """
        shared = self.team.share(self.learner)
        self._mark = time.perf_counter()
        self._sums = torch.tensor(self.progress.sums, dtype=torch.float64, device=self.team.device)
        while not self.progress.finished:
            self._epoch(shared)
        return self.progress

    def _epoch(self, shared: nn.Module) -> None:
        progress = self.progress
        steps = self.data.plan.epoch(progress.epoch, progress.batches)
        for place, step in enumerate(steps, 1):
            self._step(shared, step)
            if place == len(steps):
                progress.epoch, progress.batches = progress.epoch + 1, 0
            self._after_step(ended_epoch=place == len(steps))
            if progress.finished:
                return

    def _step(self, shared: nn.Module, step: TrainingStep) -> None:
        progress, config = self.progress, self.config
        rate = learning_rate_factor(min(self._done(), 1.0), config.warm_up, config.last_rate, config.schedule)
        set_rate(self._optimizer, config.learning_rate * rate)
        shared.train()
        shares = step.share(self.team.rank, self.team.size)
        for place, (piece, weight) in enumerate(shares, 1):
            waits = place < len(shares) and isinstance(shared, nn.parallel.DistributedDataParallel)
            with shared.no_sync() if waits else contextlib.nullcontext():  # type: ignore[operator]
                self._learn(shared, piece, weight / step.texts)
        if config.gradient_norm:
            nn.utils.clip_grad_norm_(self.learner.parameters(), config.gradient_norm)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        progress.step, progress.batches = progress.step + 1, progress.batches + len(step.pieces)
        self._count(step.texts)

    def _done(self) -> float:
        """Return the share of the run that is done: by steps, or by time if there is a limit and it is further."""
        share = self.progress.step / self._total_steps
        if self.config.most_seconds is None:
            return share
        seconds = self.team.total([self.progress.seconds])[0] / self.team.size  # all workers must stop at the same step
        return max(share, seconds / self.config.most_seconds)

    def _count(self, texts: int) -> None:
        """Count the texts of a step and the time since the last step or the work after it."""
        now = time.perf_counter()
        self.progress.seconds += now - self._mark
        self._texts, self._busy_s, self._mark = self._texts + texts, self._busy_s + now - self._mark, now

    def _learn(self, shared: nn.Module, piece: PlanPiece, weight: float) -> None:
        """Add the gradient of one batch, whose rows all have the same `weight`."""
        batch = self._batch(piece)
        torch.manual_seed(hash((self.config.seed, self.progress.epoch, piece.number)) & 0x7FFF_FFFF)
        with torch.autocast(batch.labels.device.type, torch.bfloat16, enabled=self.dtype == torch.bfloat16):
            logits, states = shared(batch.input_ids, batch.attention_mask)
        losses = self._loss(logits, states, batch)
        # The workers' gradients are averaged; times the number of workers, this is the mean over all rows of the step.
        (losses.sum() * (weight * self.team.size)).backward()  # type: ignore[no-untyped-call]
        if weight:
            labelled = batch.labels >= 0
            right = (logits.argmax(dim=1) == batch.labels) & labelled
            sums = torch.stack([losses.detach().sum().double(), right.sum().double(), labelled.sum().double()])
            self._sums[:3] += sums
            self._sums[3] += len(labelled)

    def _batch(self, piece: PlanPiece) -> Batch:
        batch, targets = self.data.plan.batch(self.progress.epoch, piece), self.data.targets
        if targets:
            states = None if targets.states is None else torch.from_numpy(targets.states[piece.rows])
            batch = replace(batch, teacher_logits=torch.from_numpy(targets.logits[piece.rows]), teacher_states=states)
        return batch.to(self.team.device)

    def _after_step(self, ended_epoch: bool) -> None:
        progress, config = self.progress, self.config
        over = self._done() >= 1.0
        every = config.validate_every_steps
        if over or (progress.step % every == 0 if every else ended_epoch):
            self._validate(over)
        elif progress.step % self._keep_every == 0:
            self._collect()
            self._keep({"step": float(progress.step)})
        if progress.step % _REPORT_STEPS == 0 or progress.finished:
            self._watcher.report(self._figures())

    def _validate(self, over: bool) -> None:
        progress = self.progress
        losses, right, labelled, texts = self._collect()
        training_figures = {"train_loss": losses / max(texts, 1.0), "train_accuracy": right / max(labelled, 1.0)}
        self.learner.eval()
        logits = held_out_logits(self.start.model, self.data.held_out, self.team, self.dtype)
        self._require_numbers(logits)
        validation_figures = figures_of_logits(logits, self.data.held_out.labels)
        where = {"step": progress.step, "epoch": progress.epoch, "seconds": round(progress.seconds, 3)}
        entry = {**where, **training_figures, **validation_figures}
        progress.history.append(entry)
        progress.stopper = progress.stopper.after(validation_figures, progress.step)
        progress.finished = over or progress.stopper.is_over
        self._sums.zero_()
        progress.sums = self._sums.tolist()
        figures = {name: float(value) for name, value in entry.items() if not isinstance(value, list)}
        self._keep({**figures, "score": score_of(validation_figures, self.config.monitor)})

    def _require_numbers(self, logits: NDArray[np.float32]) -> None:
        if not np.isfinite(logits).all():
            raise InvalidInput(
                f"training diverged before step {self.progress.step}: the logits are not finite. Lower learning_rate, "
                f"which is {self.config.learning_rate:g}, or set gradient_norm above 0",
                "learning_rate",
            )

    def _collect(self) -> list[float]:
        """Add up the sums of all workers; from now on the first worker holds them, as after a resume."""
        totals = self.team.total(self._sums.tolist())
        self.progress.sums = totals
        self._sums.copy_(torch.tensor(totals, dtype=torch.float64))
        if self.team.rank:
            self._sums.zero_()
        return totals

    def _keep(self, figures: Mapping[str, float]) -> None:
        identity = self._identity

        def write(folder: Path) -> None:
            """Write the checkpoint into the folder."""
            save_checkpoint(folder, self.start, self.learner, self._optimizer, self.progress, identity)

        self._watcher.keep(figures, write)
        self._mark = time.perf_counter()

    def _figures(self) -> dict[str, float]:
        """Return the figures since the last report: loss and accuracy of this worker, throughput of all workers."""
        progress = self.progress
        losses, right, labelled, texts = self._sums.tolist()
        figures = {
            "step": progress.step,
            "total_steps": self._total_steps,
            "epoch": progress.epoch,
            "learning_rate": self._optimizer.param_groups[0]["lr"],
            "texts_per_s": self._texts / max(self._busy_s, 1e-9),
            "seconds": progress.seconds,
            "eta_s": progress.seconds / progress.step * (self._total_steps - progress.step),
        }
        self._texts, self._busy_s = 0, 0.0
        if texts:
            figures |= {"loss": losses / texts, "accuracy": right / max(labelled, 1.0)}
        return {name: float(value) for name, value in figures.items()}
