"""A training in its trial's own process, for one worker without a GPU; it starts no other processes."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sentiment.errors import Unavailable, UndertoneError
from sentiment.priority import give_way
from sentiment.training.config import TrainConfig
from train_jobs.runtime.failures import lost_too_often, reporting_full_disk
from tune.trial.checkpoints import TrialCheckpoints

if TYPE_CHECKING:
    from train_jobs.train.prepare import RunLocations

_LOG = logging.getLogger(__name__)
_SCORE: Final = "score"
_PAUSE_S: Final = 5.0

Result = TypeVar("Result")


class TrialWatcher:
    """The watcher of a training loop in a trial: it stores checkpoints and passes validations on."""

    def __init__(self, checkpoints: TrialCheckpoints, validated: Callable[[Mapping[str, float], int], None]) -> None:
        self._checkpoints, self._validated = checkpoints, validated

    def report(self, figures: Mapping[str, float]) -> None:
        """Do nothing: only validations of a trial are shown."""

    def keep(self, figures: Mapping[str, float], write: Callable[[Path], None]) -> None:
        """Store a checkpoint; if the figures are those of a validation, pass them on with its number."""
        latest, is_validation = self._checkpoints.latest, _SCORE in figures
        validations = (latest.validations if latest else 0) + is_validation
        self._checkpoints.keep(figures, validations, write)
        if is_validation:
            self._validated(figures, validations)


def train_in_process(
    config: TrainConfig,
    name: str,
    places: RunLocations,
    checkpoints: TrialCheckpoints,
    threads: int,
    validated: Callable[[Mapping[str, float], int], None],
) -> dict[str, float]:
    """Train in this process with `threads` CPU threads; return the figures of the best validation.

    The training is resumed from the last of the `checkpoints`. `name` is its name in messages; `validated` is called
    with the figures and the number (from 1) of each validation.

    Raises:
        UndertoneError: the training is impossible, or failed more often than `most_failures`.
    """
    give_way()

    def train() -> dict[str, float]:
        """Train from the last checkpoint to the end."""
        with reporting_full_disk():
            _fit(config, places, checkpoints, threads, validated)
        if checkpoints.best is None:
            raise Unavailable("the run ended without a checkpoint: check that its storage is up and has free space")
        return {name: float(value) for name, value in checkpoints.best.figures.items()}

    try:
        return tried_again(train, name, config.most_failures)
    finally:
        gc.collect()  # the next trial of this process needs the memory


def tried_again(
    train: Callable[[], Result], name: str, most_failures: int, wait: Callable[[float], None] = time.sleep
) -> Result:
    """Return what `train` returns; try it again up to `most_failures` times if a retry may help.

    Raises:
        UndertoneError: a retry cannot help, or all of them failed.
    """
    failures = 0
    while True:
        try:
            return train()
        except Exception as exc:
            if isinstance(exc, UndertoneError) and not isinstance(exc, Unavailable):
                raise
            failures += 1
            if failures > most_failures:
                if isinstance(exc, UndertoneError):
                    raise
                raise lost_too_often(f"{type(exc).__name__}: {exc}", name) from exc
            _LOG.warning("the training %s failed and is tried again: %s", name, exc)
        wait(_PAUSE_S)


def _fit(
    config: TrainConfig, places: RunLocations, checkpoints: TrialCheckpoints, threads: int, validated: Any
) -> None:
    import torch

    from sentiment.training.fit import TrainingLoop
    from train_jobs.train.prepare import prepare

    torch.set_num_threads(threads)
    start, data = prepare(config, places)
    fit = TrainingLoop(start, data, config, TrialWatcher(checkpoints, validated))
    if latest := checkpoints.latest:
        with checkpoints.folder_of(latest) as folder:
            fit.resume(folder)
    fit.run()
