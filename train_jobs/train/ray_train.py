"""A training with Ray Train: its workers, their reports, and the best model."""

from __future__ import annotations

import logging
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import ray
import ray.train
import torch
from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer

from sentiment.errors import InvalidInput, Unavailable, UndertoneError, no_room
from sentiment.priority import give_way
from sentiment.settings import Settings, load_settings
from sentiment.training.checkpoint import MODEL
from sentiment.training.config import TrainConfig, from_mapping
from sentiment.training.fit import TrainingLoop
from sentiment.training.team import Team
from train_jobs.runs.capacity import ResourceRequest, need_on_cluster, own_cpus, require_capacity, require_own_gpus
from train_jobs.runs.recovery import WAIT_S, RecoveryLog, WorkerEvent
from train_jobs.runs.storage_probe import require_shared
from train_jobs.runs.worker_events import WorkerEvents, free_while_waiting
from train_jobs.runtime.drafts import draft_of
from train_jobs.runtime.failures import lost_too_often, reason_in, reporting_full_disk, resume_hint
from train_jobs.runtime.ray_cluster import note_room, ray_at
from train_jobs.runtime.signals import signal_handlers_restored
from train_jobs.runtime.storage import runs_in, storage_of
from train_jobs.train.checkpoint_list import keep_list
from train_jobs.train.prepare import RunLocations, prepare, require_trainable, with_fixed_versions
from train_jobs.train.progress_channel import Message, RayWatcher, Report, listening, open_mailbox

_LOG = logging.getLogger(__name__)
_PROJECT: Final = Path(__file__).parents[2]
_REFUSED: Final = "refused"
#: Environment of workers: on a busy machine, a stopped trial takes this long to free its process for the next one.
_VARIABLES: Final = {"TUNE_FUNCTION_THREAD_TIMEOUT_S": "60"}


@dataclass(frozen=True)
class TrainResult:
    """Result of a training run."""

    folder: Path
    """The best model, as the zoo saves one."""
    metrics: dict[str, float]
    """Figures of the best model."""
    history: list[dict[str, Any]]
    """Figures of each validation, in order."""
    run_id: str | None = None
    name: str = ""
    steps: int = field(default=0)


def run_training(
    config: TrainConfig,
    *,
    storage_path: str | None = None,
    workers: int = 1,
    gpus_per_worker: float = 0,
    at_once: int = 1,
    on_report: Callable[[Report], None] | None = None,
    name: str | None = None,
    settings: Settings | None = None,
    registry: str | None = None,
    run_id: str | None = None,
    callbacks: Sequence[Any] = (),
    is_trial: bool = False,
    on_begin: Callable[[], None] = lambda: None,
    on_event: Callable[[str], None] = _LOG.warning,
    wait_s: float = WAIT_S,
) -> TrainResult:
    """Train with Ray Train and return the best model; Ray must run (see `ray_running`).

    A run of the same `name` in the same `storage_path` is resumed from its last checkpoint.

    Args:
        config: the hyperparameters and the data.
        storage_path: a folder or `s3://…` for checkpoints; None for `<home>/runs`.
        workers: number of data-parallel workers.
        gpus_per_worker: GPUs of each worker.
        at_once: how many such trainings share this machine.
        on_report: called from a thread of this process with the latest figures.
        name: of the run; None draws a new one.
        settings: None loads them.
        registry: address of the MLflow server that a teacher comes from.
        run_id: of the MLflow run; returned with the result.
        callbacks: further callbacks for Ray Train.
        is_trial: whether the caller may end the training at any time; it then calls `give_room_back` with its name.
        on_begin: called when all checks have passed.
        on_event: called with a sentence when workers are lost, wait for room or go on.
        wait_s: longest time that workers wait for room.

    Raises:
        InvalidInput, ModelRejected, NotFound, Conflict: configuration, data, teacher and checkpoint do not match,
            the training diverged, or Ray has no room for the workers.
        Unavailable: workers were lost more often than `most_failures`, or no room came free; the message says why.
    """
    settings = settings or load_settings()
    name, places = name or new_name(config), RunLocations.of(settings, registry)
    path, filesystem = storage_of(storage_path or str(runs_in(settings)), settings)
    require_trainable(config, places)  # before Ray starts workers
    config = with_fixed_versions(config, places)  # all workers, and a resumed run, must learn from the same data
    need = need_on_cluster(config, workers, gpus_per_worker, at_once)
    require_capacity(need)
    require_shared(path, filesystem, config, need, places)
    is_local = filesystem is None and "://" not in path
    list_copies = [keep_list(Path(path) / name)] if is_local else []
    on_begin()
    mailbox = open_mailbox()
    trainer = TorchTrainer(
        work,
        train_loop_config={
            "config": config.to_mapping(),
            "places": places,
            "mailbox": mailbox,
            "room": name if is_trial else None,
        },
        scaling_config=_scaling(need),
        torch_config=TorchConfig(backend="nccl" if gpus_per_worker else "gloo"),
        run_config=RunConfig(
            name=name,
            storage_path=path,
            storage_filesystem=filesystem,
            failure_config=FailureConfig(max_failures=config.most_failures),
            checkpoint_config=CheckpointConfig(config.keep_checkpoints, "score", "max"),
            callbacks=[WorkerEvents(mailbox, need, wait_s), *list_copies, *callbacks],
        ),
    )
    recovery = RecoveryLog(on_event, need.in_words(), time.monotonic)
    on_message = partial(_pass_on, recovery, on_report or (lambda _: None))
    with listening(mailbox, on_message, partial(recovery.tick, partial(free_while_waiting, need))):
        ray_result = _fit(trainer, name)
    worker_result: dict[str, Any] = ray_result.return_value
    if _REFUSED in worker_result:
        raise worker_result[_REFUSED]
    best, metrics = _best(ray_result, name)
    folder = settings.home / "runs" / name / "best"
    _copy_model(best, folder, name)
    return TrainResult(folder, metrics, worker_result["history"], run_id, name, worker_result["step"])


def _pass_on(recovery: RecoveryLog, on_report: Callable[[Report], None], message: Message) -> None:
    if isinstance(message, WorkerEvent):
        recovery.take(message)
    else:
        recovery.reached(message["step"])
        on_report(message)


def work(job: Mapping[str, Any]) -> dict[str, Any]:
    """Train on one worker: the function that Ray Train runs on all of them."""
    give_way()
    if job["room"]:
        note_room(job["room"])
    with reporting_full_disk():
        return _train(job)


def _train(job: Mapping[str, Any]) -> dict[str, Any]:
    config, context = from_mapping(job["config"]), ray.train.get_context()
    if config.threads:
        torch.set_num_threads(config.threads)
    device = str(ray.train.torch.get_device())
    team = Team(context.get_world_rank(), context.get_world_size(), device)
    fit = agreed(team, lambda: _ready(job, config, team))
    if isinstance(fit, UndertoneError):
        return {_REFUSED: fit}
    try:
        progress = fit.run()
    except InvalidInput as exc:  # all workers raise it at the same step, and a second try would end alike
        return {_REFUSED: exc}
    return {"history": progress.history, "step": progress.step}


def agreed(team: Team, make: Callable[[], TrainingLoop]) -> TrainingLoop | UndertoneError:
    """Return what `make` returns on this worker; if it fails on any worker, return the same error on all of them.

    The error is returned and not raised, because Ray Train restarts the workers after any exception.

    Raises:
        Unavailable: a retry may help.
    """
    fit, refusal = None, None
    try:
        fit = make()
    except Unavailable:
        raise
    except UndertoneError as exc:
        refusal = exc
    refusals = [each for each in team.gather(refusal) if each is not None]
    return refusals[0] if fit is None or refusals else fit


def _ready(job: Mapping[str, Any], config: TrainConfig, team: Team) -> TrainingLoop:
    start, data = prepare(config, job["places"], team.size, team.device)
    watcher = RayWatcher(team.rank, job["mailbox"])
    fit = TrainingLoop(start, data, config, watcher, team)
    if checkpoint := ray.train.get_checkpoint():
        with checkpoint.as_directory() as folder:
            fit.resume(Path(folder))
    watcher.begin(fit.progress.step)
    return fit


@contextmanager
def ray_running(address: str | None, cpus: int | None = None, gpus: float | None = None) -> Iterator[None]:
    """Connect to the Ray cluster at `address`, or start Ray here, while the block runs.

    Raises:
        InvalidInput: this machine has fewer than `gpus`.
        Unavailable: there is no cluster at that address.
    """
    require_own_gpus(address, gpus)
    variables = _VARIABLES if address else {**_VARIABLES, "PYTHONPATH": str(_PROJECT)}
    with ray_at(address, variables, num_cpus=cpus, num_gpus=gpus, include_dashboard=False):
        yield


def cpus_of(workers: int, config: TrainConfig) -> int:
    """Return the CPUs that a Ray started here must offer: those of the machine, or more if the workers need more."""
    return own_cpus([ResourceRequest.of(config, workers, 0)])


def new_name(config: TrainConfig) -> str:
    """Return a name for a new run."""
    return f"{config.model}-{uuid.uuid4().hex[:8]}"


def _scaling(need: ResourceRequest) -> ScalingConfig:
    return ScalingConfig(num_workers=need.workers, use_gpu=need.gpus > 0, resources_per_worker=need.of_a_worker)


def _fit(trainer: TorchTrainer, name: str) -> Any:
    try:
        with signal_handlers_restored():
            return trainer.fit()
    except ray.train.TrainingFailedError as exc:
        failures = [*getattr(exc, "worker_failures", {}).values(), getattr(exc, "controller_failure", None)]
        causes = [cause for failure in failures for cause in (failure, getattr(failure, "cause", None))]
        for cause in causes:
            if isinstance(cause, UndertoneError):
                raise cause from exc
        raise lost_too_often(str(exc), name) from exc
    except ray.exceptions.RayError as exc:
        raise Unavailable(f"Ray Train stopped the training: {reason_in(str(exc))}; {resume_hint(name)}") from exc


def _best(ray_result: Any, name: str) -> tuple[Any, dict[str, float]]:
    scored = [(checkpoint, figures) for checkpoint, figures in ray_result.best_checkpoints or [] if "score" in figures]
    if not scored:
        problem = "the run ended without a checkpoint: check that its storage is up and has free space"
        raise Unavailable(f"{problem}; then {resume_hint(name)}")
    checkpoint, figures = max(scored, key=lambda pair: pair[1]["score"])
    return checkpoint, {key: float(value) for key, value in figures.items()}


def _copy_model(checkpoint: Any, folder: Path, name: str) -> None:
    try:
        with draft_of(folder) as draft, checkpoint.as_directory() as content:
            shutil.copytree(Path(content) / MODEL, draft, dirs_exist_ok=True)
    except OSError as exc:
        raise no_room(exc) or Unavailable(
            f"the best checkpoint cannot be read from {checkpoint.path}: {exc}; {resume_hint(name)}"
        ) from exc
