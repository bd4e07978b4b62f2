"""Search for hyperparameters with Ray Tune: each trial is a training by Ray Train, the best configuration is written.

    python -m tune.search --data reviews@1 --model cnn --search grid --space dropout --out best.yaml
    python -m tune.search --data tweets@3 --model minilm --search optuna --trials 20 --space space.yaml --out best.yaml

`undertone train --config best.yaml` trains with what was found. Killed, a search of the same --name goes on.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import ray.tune
from ray.train import Checkpoint
from ray.tune.integration.ray_train import TuneReportCallback

from sentiment.errors import InvalidInput
from sentiment.settings import Settings
from sentiment.training.config import TrainConfig
from sentiment.wording import shown
from train_jobs.capacity import Need
from train_jobs.failures import own_error, reason_in
from train_jobs.prepare import Places
from train_jobs.scoring.places import Place, place_at
from train_jobs.storage import storage_of
from train_jobs.train import run_training
from tune.plan import Search, Trial, check, corners
from tune.space import Dimension
from tune.trial_checkpoints import TrialCheckpoints
from tune.trial_training import train_in_process
from tune.watch import GAVE_UP, TRAINING, VALIDATIONS, Listener, TrialWatch, figures_of, listening

_LOG = logging.getLogger(__name__)
_SCORE: Final = "score"
_LONGEST: Final = 1000  # validations; a bound that ASHA asks for
_TRIAL_BYTES: Final = 64 * 2**20  # something must be asked for
_GRACE: Final = 1
_REDUCTION: Final = 3


class ToTune(TuneReportCallback):
    """Tells Ray Tune of each validation of a training, and of nothing else that the training reports."""

    _validations = 0

    def after_report(self, run_context: Any, metrics: list[dict[str, Any]], checkpoint: Checkpoint | None) -> None:
        """Pass the first worker's figures on if they have a score; runs in the training's controller."""
        if _SCORE in metrics[0]:
            self._validations += 1
            super().after_report(run_context, [{**metrics[0], VALIDATIONS: self._validations}], checkpoint)


def run_trial(point: dict[str, Any], search: Search, settings: Settings, registry: str | None) -> None:
    """Train at one point of the space: the function that Ray Tune runs for each trial."""
    config, name = search.config_at(point), f"{search.name}-{ray.tune.get_context().get_trial_id()}"
    try:
        figures = _trained(config, name, search, settings, registry)
    except Exception:
        # What fails is final here: only a trial whose process is lost is tried again by Ray Tune.
        ray.tune.report({_SCORE: math.nan, GAVE_UP: True})
        raise
    # Its best once more: searchers that choose by the scores so far learn from a trial's last report.
    ray.tune.report({**figures, TRAINING: name})


def _trained(
    config: TrainConfig, name: str, search: Search, settings: Settings, registry: str | None
) -> Mapping[str, float]:
    if search.trains_in_process:
        place = place_at(f"{trainings_of(search, settings)}/{name}", settings.s3_endpoint)
        return train_in_process(
            config,
            name,
            Places.of(settings, registry),
            TrialCheckpoints(place, config.keep_checkpoints),
            need_of(search, config).cpus,
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
        callbacks=[ToTune()],
    ).metrics


def need_of(search: Search, config: TrainConfig) -> Need:
    """Return what a trial's training asks Ray for. Raises InvalidInput, naming the field."""
    return Need.of(config, search.workers, search.gpus_per_worker, search.concurrent)


#: What Ray Tune runs for each trial; reports figures with a `score` and the validation's number as VALIDATIONS, and
#: last its best ones with its training's name as TRAINING.
RunTrial = Callable[[dict[str, Any], Search, Settings, str | None], None]


def search_for(
    search: Search,
    settings: Settings,
    registry: str | None,
    listeners: Sequence[Listener] = (),
    run: RunTrial = run_trial,
) -> list[Trial]:
    """Run a search, or take one of the same name up, and return all its trials. Ray must run.

    `registry` is the MLflow server that a teacher comes from; `listeners` hear of trials while they run.

    Raises:
        InvalidInput: the space or an option is wrong, naming it; or a search of that name was another one.
        Unavailable: its storage cannot be read or written.
    """
    check(search)
    claim(search, settings)
    # Ray Tune prints a table of its own, whatever its verbosity; standard output is for what was found.
    with listening(search.name, listeners), contextlib.redirect_stdout(io.StringIO()):
        found = _tuner(search, settings, registry, run).fit()
    return [_trial(search, result) for result in found]


def storage_root(search: Search, settings: Settings) -> str:
    """Return the folder or `s3://` address under which a search keeps what it needs to be taken up."""
    return search.storage or str(settings.home / "tune")


def trainings_of(search: Search, settings: Settings) -> str:
    """Return where the trials keep their checkpoints."""
    return f"{storage_root(search, settings)}/{search.name}-trainings"


def kept_at(search: Search, settings: Settings) -> Place:
    """Return the place of a search's own records."""
    return place_at(storage_root(search, settings), settings.s3_endpoint)


def claim(search: Search, settings: Settings) -> None:
    """Write down what a search of this name is.

    Raises:
        InvalidInput: a search of that name was another one.
        Unavailable: its storage cannot be read or written.
    """
    place, name = kept_at(search, settings), f"{search.name}.json"
    wanted = json.loads(json.dumps(search.identity()))
    found = place.read(name)
    if found is None:
        place.write(name, json.dumps(wanted, indent=2).encode() + b"\n")
        return
    known = json.loads(found)
    differing = "; ".join(_differences(known, wanted))
    if differing:
        raise InvalidInput(
            f"A search named {search.name!r} was another one: {differing}. Give this one another --name.", "name"
        )


def _differences(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """Yield what differs between two searches, the fields that their trials share by their own names."""
    before, now = ({**plain, **plain["base"], "base": None} for plain in (known, wanted))
    for part in sorted(before.keys() | now.keys()):
        if before.get(part) != now.get(part):
            yield f"{part} was {shown(before.get(part))}, now {shown(now.get(part))}"


def _tuner(search: Search, settings: Settings, registry: str | None, run: RunTrial) -> Any:
    path, filesystem = storage_of(storage_root(search, settings), settings)
    trainable = ray.tune.with_resources(
        ray.tune.with_parameters(run, search=search, settings=settings, registry=registry),
        lambda point: _resources(search, point),
    )
    where = f"{path}/{search.name}"
    if ray.tune.Tuner.can_restore(where, storage_filesystem=filesystem):
        _LOG.info("taking the search %s up again", search.name)
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


def _resources(search: Search, point: Mapping[str, Any]) -> Any:
    """Return what a trial's own process asks for: CPUs are left to the workers of a training that run beside it."""
    if not search.trains_in_process:
        return ray.tune.PlacementGroupFactory([{"memory": _TRIAL_BYTES}])
    return ray.tune.PlacementGroupFactory([{"CPU": need_of(search, search.config_at(dict(point))).cpus}])


def _most_deaths(search: Search) -> int:
    """Return how often Ray Tune starts a trial anew whose process was lost; Ray Train sees to its own workers."""
    configs = [search.config_at(point) for point in corners(search.space)]
    return max(config.most_failures for config in configs) if search.trains_in_process else 0


def _tune_config(search: Search) -> Any:
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.basic_variant import BasicVariantGenerator
    from ray.tune.search.optuna import OptunaSearch

    halving = ASHAScheduler(time_attr=VALIDATIONS, max_t=_LONGEST, grace_period=_GRACE, reduction_factor=_REDUCTION)
    chooser = (
        OptunaSearch(seed=search.seed)
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
        reuse_actors=search.trains_in_process,  # what a trial has loaded serves the next one, too
        trial_name_creator=lambda trial: str(trial.trial_id),
        trial_dirname_creator=lambda trial: str(trial.trial_id),
    )


def _domain(dimension: Dimension) -> Any:
    if dimension.kind == "choice":
        return ray.tune.choice(list(dimension.values))
    if dimension.kind == "int":
        return ray.tune.randint(dimension.low, dimension.high + 1)
    return {"uniform": ray.tune.uniform, "loguniform": ray.tune.loguniform}[dimension.kind](*dimension.values)


def _trial(search: Search, result: Any) -> Trial:
    rows = [] if result.metrics_dataframe is None else result.metrics_dataframe.to_dict("records")
    scored = [row for row in rows if math.isfinite(row.get(_SCORE, math.nan))]
    best = max(scored, key=lambda row: float(row[_SCORE]), default=None)
    last: Mapping[str, Any] = result.metrics or {}
    finished = isinstance(last.get(TRAINING), str)
    return Trial(
        name=f"{search.name}-{Path(result.path).name}",
        point=dict(result.config or {}),
        state="failed" if result.error else "finished" if finished else "stopped",
        score=float(best[_SCORE]) if best else None,
        validations=len(scored) - finished,
        seconds=float(last.get("time_total_s", 0.0)),
        figures=figures_of(best or {}),
        reason=str(own_error(result.error) or reason_in(str(result.error))) if result.error else None,
    )


def main(arguments: Sequence[str]) -> None:
    """Do the search of the command line; write what it found to standard output."""
    from tune.job import run_from_command_line

    run_from_command_line(__doc__ or "", arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
