"""A training in its trial's own process: what one worker without a GPU needs, which starts no processes of its own."""

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
    """The watcher of a loop in a trial: stores checkpoints, and passes validations on with their number."""

    def __init__(self, checkpoints: TrialCheckpoints, validated: Callable[[Mapping[str, float], int], None]) -> None:
        self._checkpoints, self._validated = checkpoints, validated

    def report(self, figures: Mapping[str, float]) -> None:
        """Do nothing: of a trial only its validations are shown."""

    def keep(self, figures: Mapping[str, float], write: Callable[[Path], None]) -> None:
        """Store a checkpoint, then pass the figures of a validation on, if it is one."""
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
    """Train on this process's CPU with so many `threads`, and return the figures of the best validation.

    A training of that place is taken up from its last checkpoint. `name` is what it is called in messages, and
    `validated` is called with the figures of each validation and its number, from 1.

    Raises:
        UndertoneError: the training cannot be done, or failed more often than its `most_failures`.
    """
    give_way()

    def train() -> dict[str, float]:
        """Train from the last checkpoint to the end."""
        with reporting_full_disk():
            _fit(config, places, checkpoints, threads, validated)
        if checkpoints.best is None:
            raise Unavailable("the run ended without a checkpoint; is its storage full or away?")
        return {name: float(value) for name, value in checkpoints.best.figures.items()}

    try:
        return tried_again(train, name, config.most_failures)
    finally:
        gc.collect()  # the next trial of this process has its memory


def tried_again(
    train: Callable[[], Result], name: str, most_failures: int, wait: Callable[[float], None] = time.sleep
) -> Result:
    """Return what `train` returns, tried again so many times if it fails for what a second try may mend.

    Raises:
        UndertoneError: no second try would mend it, or all of them failed.
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

    from sentiment.training.fit import Fit
    from train_jobs.train.prepare import prepare

    torch.set_num_threads(threads)
    start, data = prepare(config, places)
    fit = Fit(start, data, config, TrialWatcher(checkpoints, validated))
    if latest := checkpoints.latest:
        with checkpoints.folder_of(latest) as folder:
            fit.resume(folder)
    fit.run()
