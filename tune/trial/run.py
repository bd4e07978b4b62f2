"""One trial of a search: a training in its own process or with Ray Train, and the resources that it asks for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import ray.tune
from ray.train import Checkpoint
from ray.tune.integration.ray_train import TuneReportCallback

from sentiment.settings import Settings
from sentiment.training.config import TrainConfig
from train_jobs.runs.capacity import ResourceRequest, need_on_cluster
from train_jobs.runtime.locations import place_at
from train_jobs.train.prepare import RunLocations
from train_jobs.train.ray_train import run_training
from tune.plan import HyperparameterSearch
from tune.progress.watch import GAVE_UP, TRAINING, VALIDATIONS
from tune.search_state import trainings_of
from tune.trial.checkpoints import TrialCheckpoints
from tune.trial.training import train_in_process

_SCORE: Final = "score"


class TuneReporter(TuneReportCallback):
    """Reports each validation of a training to Ray Tune, and no other report of it."""

    _validations = 0

    def after_report(self, run_context: Any, metrics: list[dict[str, Any]], checkpoint: Checkpoint | None) -> None:
        """Report the first worker's figures if they have a score; runs in the training's controller."""
        if _SCORE in metrics[0]:
            self._validations += 1
            super().after_report(run_context, [{**metrics[0], VALIDATIONS: self._validations}], checkpoint)


def run_trial(point: dict[str, Any], search: HyperparameterSearch, settings: Settings, registry: str | None) -> None:
    """Train at one point of the space: the function that Ray Tune runs for each trial."""
    config, name = search.config_at(point), f"{search.name}-{ray.tune.get_context().get_trial_id()}"
    try:
        figures = _trained(config, name, search, settings, registry)
    except Exception:
        # An error is final: Ray Tune restarts only trials whose process was lost.
        ray.tune.report({_SCORE: math.nan, GAVE_UP: True})
        raise
    # The best figures again: searchers such as Optuna read a trial's last report only.
    ray.tune.report({**figures, TRAINING: name})


def _trained(
    config: TrainConfig, name: str, search: HyperparameterSearch, settings: Settings, registry: str | None
) -> Mapping[str, float]:
    if search.trains_in_process:
        place = place_at(f"{trainings_of(search, settings)}/{name}", settings.s3_endpoint)
        return train_in_process(
            config,
            name,
            RunLocations.of(settings, registry),
            TrialCheckpoints(place, config.keep_checkpoints),
            resource_request_of(search, config).cpus,
            lambda figures, number: ray.tune.report({**figures, VALIDATIONS: number}),
        )
    return run_training(
        config,
        storage_path=str(trainings_of(search, settings)),
        workers=search.workers,
        gpus_per_worker=search.gpus_per_worker,
        at_once=search.concurrent,
        name=name,
        settings=settings,
        registry=registry,
        callbacks=[TuneReporter()],
        is_trial=True,
    ).metrics


def with_fixed_threads(search: HyperparameterSearch) -> HyperparameterSearch:
    """Return the search with the CPUs of each worker set as `threads`, unless given or on GPUs; Ray must run.

    They are set once, because the free CPUs at a later trial's start depend on the others. Raises InvalidInput.
    """
    config = search.config_at({})
    if config.threads or search.gpus_per_worker:
        return search
    cpus = need_on_cluster(config, search.workers, 0, search.concurrent).cpus
    return replace(search, base={**search.base, "threads": cpus})


def resource_request_of(search: HyperparameterSearch, config: TrainConfig) -> ResourceRequest:
    """Return what a trial's training asks Ray for; after `with_fixed_threads` it is the same at any time."""
    threads = config.threads or search.base.get("threads")
    return ResourceRequest.of(
        replace(config, threads=threads), search.workers, search.gpus_per_worker, search.concurrent
    )
