"""Runs the trials of a search with Ray Tune: how points are drawn, what each trial asks for, and its result."""

from __future__ import annotations

import contextlib
import io
import logging
import math
from collections.abc import Callable, Container, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import ray.tune

from sentiment.settings import Settings
from train_jobs.runtime.failures import own_error, reason_in
from train_jobs.runtime.signals import signal_handlers_restored
from train_jobs.runtime.storage import storage_of
from tune.plan import HyperparameterSearch, State, Trial, check, corners
from tune.progress.free_resources import TrialPlacement
from tune.progress.watch import TRAINING, VALIDATIONS, Listener, TrialWatch, WatchedSearch, figures_of, watching
from tune.search_state import claim, storage_root
from tune.space import Dimension
from tune.trial.run import resource_request_of, run_trial, with_fixed_threads

_LOG = logging.getLogger(__name__)
_SCORE: Final = "score"
_LONGEST: Final = 1000  # validations; ASHA needs a bound
_TRIAL_BYTES: Final = 64 * 2**20  # a placement group must ask for something
_PENDING: Final = "PENDING"
_GRACE: Final = 1
_REDUCTION: Final = 3


#: The function that Ray Tune runs for each trial. It reports figures with a `score` and the number of the validation
#: (VALIDATIONS), and last the best figures with the name of its training (TRAINING).
RunTrial = Callable[[dict[str, Any], HyperparameterSearch, Settings, str | None], None]


def search_for(
    search: HyperparameterSearch,
    settings: Settings,
    registry: str | None,
    listeners: Sequence[Listener] = (),
    run: RunTrial = run_trial,
) -> list[Trial]:
    """Run or resume a search and return its trials; Ray must run.

    After Ctrl+C it returns the trials that were started: some may be unfinished. `registry` is the MLflow server that
    a teacher comes from; `listeners` hear of trials while they run.

    Raises:
        InvalidInput: the space or an option is wrong, or an earlier search of that name was a different one.
        Unavailable: the storage cannot be read or written.
    """
    check(search)
    claim(search, settings)
    search = with_fixed_threads(search)
    watched = WatchedSearch(listeners)
    placement = TrialPlacement(
        search, lambda point: resource_request_of(search, search.config_at(point)), partial(watched.tell, "waiting")
    )
    watched.on_begin, watched.on_step, watched.on_end = (
        partial(_renew_resources, search),
        placement.look,
        placement.ended,
    )
    # Ray Tune prints a table, whatever its verbosity; standard output is for the results.
    with signal_handlers_restored(), watching(search.name, watched), contextlib.redirect_stdout(io.StringIO()):
        results = _tuner(search, settings, registry, run).fit()
    return [_trial(search, result, watched.unended) for result in results]


def _tuner(search: HyperparameterSearch, settings: Settings, registry: str | None, run: RunTrial) -> Any:
    path, filesystem = storage_of(storage_root(search, settings), settings)
    trainable = ray.tune.with_resources(
        ray.tune.with_parameters(run, search=search, settings=settings, registry=registry),
        lambda point: _resources(search, point),
    )
    where = f"{path}/{search.name}"
    if ray.tune.Tuner.can_restore(where, storage_filesystem=filesystem):
        _LOG.info("resuming the search %s", search.name)
        return ray.tune.Tuner.restore(
            where,
            trainable,
            restart_errored=True,
            resume_unfinished=True,
            storage_filesystem=filesystem,
        )
    return ray.tune.Tuner(
        trainable,
        param_space={dimension.field: _domain(dimension) for dimension in search.space.dimensions},
        tune_config=_tune_config(search),
        run_config=ray.tune.RunConfig(
            name=search.name,
            storage_path=path,
            storage_filesystem=filesystem,
            verbose=0,
            callbacks=[TrialWatch(search.name, _most_deaths(search))],
        ),
    )


def _resources(search: HyperparameterSearch, point: Mapping[str, Any]) -> Any:
    """Return what a trial's own process asks for: no CPUs if a training's workers run beside it."""
    if not search.trains_in_process:
        return ray.tune.PlacementGroupFactory([{"memory": _TRIAL_BYTES}])
    return ray.tune.PlacementGroupFactory([{"CPU": resource_request_of(search, search.config_at(dict(point))).cpus}])


def _renew_resources(search: HyperparameterSearch, trials: Sequence[Any]) -> None:
    """Update what waiting trials ask for: the search may be resumed on another machine."""
    for trial in trials:
        if trial.status == _PENDING:
            trial.update_resources(_resources(search, trial.config))


def _most_deaths(search: HyperparameterSearch) -> int:
    """Return how often Ray Tune restarts a trial whose process was lost; Ray Train restarts its own workers."""
    configs = [search.config_at(point) for point in corners(search.space)]
    return max(config.most_failures for config in configs) if search.trains_in_process else 0


def _tune_config(search: HyperparameterSearch) -> Any:
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.basic_variant import BasicVariantGenerator

    from tune.distinct_optuna import DistinctOptuna

    halving = ASHAScheduler(time_attr=VALIDATIONS, max_t=_LONGEST, grace_period=_GRACE, reduction_factor=_REDUCTION)
    chooser = (
        DistinctOptuna(search.space, search.seed)
        if search.method == "optuna"
        else BasicVariantGenerator(search.points, search.concurrent, random_state=search.seed)
    )
    return ray.tune.TuneConfig(
        metric=_SCORE,
        mode="max",
        num_samples=search.draws,
        max_concurrent_trials=search.concurrent if search.method == "optuna" else None,
        scheduler=halving if search.method == "asha" else None,
        search_alg=chooser,
        reuse_actors=search.trains_in_process,  # the next trial reuses what a process has loaded
        trial_name_creator=lambda trial: str(trial.trial_id),
        trial_dirname_creator=lambda trial: str(trial.trial_id),
    )


def _domain(dimension: Dimension) -> Any:
    if dimension.kind == "choice":
        return ray.tune.choice(list(dimension.values))
    if dimension.kind == "int":
        return ray.tune.randint(dimension.low, dimension.high + 1)
    return {"uniform": ray.tune.uniform, "loguniform": ray.tune.loguniform}[dimension.kind](*dimension.values)


def _trial(search: HyperparameterSearch, result: Any, unended: Container[str] = ()) -> Trial:
    rows = [] if result.metrics_dataframe is None else result.metrics_dataframe.to_dict("records")
    scored = [row for row in rows if math.isfinite(row.get(_SCORE, math.nan))]
    best = max(scored, key=lambda row: float(row[_SCORE]), default=None)
    last: Mapping[str, Any] = result.metrics or {}
    finished, name = isinstance(last.get(TRAINING), str), Path(result.path).name
    ended: State = "failed" if result.error else "finished" if finished else "stopped"
    return Trial(
        name=f"{search.name}-{name}",
        point=dict(result.config or {}),
        state="unfinished" if name in unended else ended,
        score=float(best[_SCORE]) if best else None,
        validations=len(scored) - finished,
        seconds=float(last.get("time_total_s", 0.0)),
        figures=figures_of(best or {}),
        reason=str(own_error(result.error) or reason_in(str(result.error))) if result.error else None,
    )
