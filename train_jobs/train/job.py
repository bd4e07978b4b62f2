"""A training job from its request to the registry: checks, MLflow run, training, version, registration."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from sentiment.settings import Settings
from train_jobs.train.progress_channel import Report
from train_jobs.train.request import Job, TrainingResult

if TYPE_CHECKING:
    from train_jobs.runs.capacity import ResourceRequest

_LOG = logging.getLogger(__name__)


def run_job(
    job: Job,
    settings: Settings,
    address: str | None,
    on_report: Callable[[Report], None],
    on_begin: Callable[[], None] = lambda: None,
    on_event: Callable[[str], None] = _LOG.warning,
) -> TrainingResult:
    """Train, track the run, make a version of the best model, and register it if that is requested.

    `on_begin` is called when all checks have passed; from then on an interrupted run can be resumed. `on_event` gets
    a sentence whenever workers are lost, wait or go on.

    Raises:
        UndertoneError: the data, the model, the storage or a server refuses; nothing is registered then.
    """
    from train_jobs.runs.capacity import own_cpus, own_gpus
    from train_jobs.runs.run_folder import RunStart, run_folder
    from train_jobs.runtime.failures import run_named
    from train_jobs.runtime.ray_log import stdout_aside
    from train_jobs.runtime.storage import named_storage
    from train_jobs.runtime.tracking_server import tracking_server
    from train_jobs.train.prepare import RunLocations, with_fixed_versions
    from train_jobs.train.ray_train import new_name, ray_running, run_training
    from train_jobs.train.tracked_run import open_tracked_run
    from train_jobs.versions.write_version import precision_warning

    name = job.name or new_name(job.config)
    requests = _checked_needs(job, name, settings, address)
    start = RunStart(job.workers, named_storage(job.storage, settings))

    def take(report: Report) -> None:
        """Log a report to MLflow, then pass it on."""
        run.take(report)
        on_report(report)

    def begin() -> None:
        """Store how the run was started, so that it can be resumed, then say so."""
        files.keep_begun(start)
        on_begin()

    with tracking_server(settings) as uri:
        places = RunLocations.of(settings, uri)
        job = replace(job, config=with_fixed_versions(job.config, places))
        with (
            run_named(name),
            run_folder(settings, name, job.config.to_mapping(), start) as files,
            open_tracked_run(job, files, places) as run,
        ):
            with stdout_aside(), ray_running(address, own_cpus(requests), own_gpus(requests)):
                result = run_training(
                    job.config,
                    **job.asked_of_ray,
                    on_report=take,
                    name=name,
                    settings=settings,
                    registry=uri,
                    run_id=run.run_id,
                    on_begin=begin,
                    on_event=on_event,
                )
            version = run.make_version(result)
            files.require_held()
            registered = run.register(version) if job.register else None
    warning = precision_warning(version.manifest.engines, version.manifest.metrics)
    made = (str(version.folder), version.digest, registered, warning)
    return TrainingResult(name, run.run_id, result.metrics, result.steps, *made)


def _checked_needs(job: Job, name: str, settings: Settings, address: str | None) -> list[ResourceRequest]:
    """Check everything that can be checked before anything is started; return what Ray is asked for."""
    from train_jobs.runs.capacity import ResourceRequest, own_gpus, require_own_gpus
    from train_jobs.runtime.storage import require_run_name, require_storage
    from train_jobs.train.class_balance import warn_of_missing_classes
    from train_jobs.train.prepare import RunLocations, require_trainable

    require_run_name(name)
    _LOG.info("run %s", name)
    require_trainable(job.config, RunLocations.of(settings))
    needs = [ResourceRequest.of(job.config, job.workers, job.gpus_per_worker)]
    require_own_gpus(address, own_gpus(needs))
    if job.storage:
        require_storage(job.storage, settings)
    warn_of_missing_classes([job.config], RunLocations.of(settings))
    return needs
