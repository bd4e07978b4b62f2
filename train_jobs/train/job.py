"""A training job from its options to the registry: configuration, MLflow run, training, version, registration."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from sentiment.settings import Settings
from train_jobs.train.progress_channel import Report
from train_jobs.train.request import Job, TrainingResult

if TYPE_CHECKING:
    from train_jobs.runs.capacity import Need

_LOG = logging.getLogger(__name__)


def run_job(
    job: Job,
    settings: Settings,
    address: str | None,
    on_report: Callable[[Report], None],
    on_begin: Callable[[], None] = lambda: None,
    on_event: Callable[[str], None] = _LOG.warning,
) -> TrainingResult:
    """Do a job: train, track it, make a version of the best model, and register it if that is asked for.

    `on_begin` is called once all that was asked for is checked; from then on a run that is cut off can be taken up.
    `on_event` is told in a sentence of what befalls the workers.

    Raises:
        UndertoneError: data, model, store or server say no; nothing is registered then.
    """
    from train_jobs.runs.capacity import own_cpus, own_gpus
    from train_jobs.runs.run_folder import Begun, run_folder
    from train_jobs.runtime.failures import run_named
    from train_jobs.runtime.ray_log import stdout_aside
    from train_jobs.runtime.storage import named_storage
    from train_jobs.runtime.tracking_server import tracking_server
    from train_jobs.train.prepare import Places, pinned
    from train_jobs.train.ray_train import new_name, ray_running, run_training
    from train_jobs.train.tracked_run import tracked
    from train_jobs.versions.write_version import precision_warning

    name = job.name or new_name(job.config)
    needs = _checked_needs(job, name, settings, address)
    begun = Begun(job.workers, named_storage(job.storage, settings))

    def take(report: Report) -> None:
        """Put a report into the curves before it is shown."""
        run.take(report)
        on_report(report)

    def begin() -> None:
        """Remember what the run is begun with before it is said that it can be taken up."""
        held.keep_begun(begun)
        on_begin()

    with tracking_server(settings) as uri:
        places = Places.of(settings, uri)
        job = replace(job, config=pinned(job.config, places))
        with (
            run_named(name),
            run_folder(settings, name, job.config.to_mapping(), begun) as held,
            tracked(job, held, places) as run,
        ):
            with stdout_aside(), ray_running(address, own_cpus(needs), own_gpus(needs)):
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
            held.require_held()
            registered = run.register(version) if job.register else None
    warning = precision_warning(version.manifest.engines, version.manifest.metrics)
    made = (str(version.folder), version.digest, registered, warning)
    return TrainingResult(name, run.run_id, result.metrics, result.steps, *made)


def _checked_needs(job: Job, name: str, settings: Settings, address: str | None) -> list[Need]:
    """Check what can be checked before anything is started, and return what Ray is asked for."""
    from train_jobs.runs.capacity import Need, own_gpus, require_own_gpus
    from train_jobs.runtime.storage import require_run_name, require_storage
    from train_jobs.train.class_balance import warn_of_unlearnt
    from train_jobs.train.prepare import Places, require_trainable

    require_run_name(name)
    _LOG.info("run %s", name)
    require_trainable(job.config, Places.of(settings))
    needs = [Need.of(job.config, job.workers, job.gpus_per_worker)]
    require_own_gpus(address, own_gpus(needs))
    if job.storage:
        require_storage(job.storage, settings)
    warn_of_unlearnt([job.config], Places.of(settings))
    return needs
