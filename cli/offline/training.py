"""What `train` and `distill` do: a request becomes a job here or on a cluster, shown with a bar of progress."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.offline.cluster import places_of, refuse_unseen
from cli.stores.registry import with_registry
from sentiment.errors import InvalidInput
from sentiment.settings import Settings, load_settings
from train_jobs.runtime.progress import speed_in_words, validation_in_words
from train_jobs.runtime.ray_log import ray_log_aside

if TYPE_CHECKING:
    from train_jobs.train.training_options import TrainingOptions

console = Console(soft_wrap=True)
errors = Console(stderr=True, soft_wrap=True)


def run(job: str, options: TrainingOptions) -> None:
    """Run the job `train` or `distill`; show its progress and its outcome.

    Raises:
        UndertoneError: an option is wrong, or the training failed.
    """
    from sentiment.training.config import from_mapping
    from train_jobs.train.request import values_of

    if options.working_dir and not options.address:
        raise InvalidInput(
            "--working-dir needs a cluster to send the code to: set --address http://HOST:8265.", "address"
        )
    values = values_of(job, options)
    config, settings = from_mapping(values), load_settings(home=options.home)
    with Bar(config.epochs, options.as_json) as bar:
        if options.address:
            outcome = _remotely(job, values, options, options.address, settings, bar)
        else:
            outcome = _here(job, options, with_registry(settings), bar)
    if options.as_json:
        console.print_json(json.dumps(outcome), indent=None)
    else:
        _show(outcome)


class Bar:
    """A bar with loss, throughput and time left; on standard error, so that standard output is for the outcome."""

    def __init__(self, epochs: int, as_json: bool) -> None:
        self._epochs = epochs
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=errors, disable=as_json)
        self._task = self._progress.add_task("Getting ready", total=None, figures="")

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress.tasks[self._task].total is None:  # nothing was begun: an error says why
            self._progress.update(self._task, visible=False)
        self._progress.stop()

    def take(self, report: Mapping[str, float]) -> None:
        """Move to where a report is; tell of a validation on a line of its own."""
        if "score" in report:
            self._progress.console.print(f"step {report['step']:.0f}  {validation_in_words(report)}", highlight=False)
        if "total_steps" not in report:
            return
        self._progress.update(
            self._task,
            description=self.epoch(report["epoch"]),
            completed=report["step"],
            total=report["total_steps"],
            figures=speed_in_words(report),
        )

    def epoch(self, whole: float) -> str:
        """Return which epoch is under way when `whole` ones are over; behind the last one, the last."""
        return f"Epoch {min(whole + 1, self._epochs):.0f} of {self._epochs}"

    def say(self, line: str) -> None:
        """Show a line of a job's log above the bar."""
        self._progress.console.print(line, markup=False, highlight=False)


def _here(job: str, options: TrainingOptions, settings: Settings, bar: Bar) -> dict[str, Any]:
    """Train in this process, which drives Ray."""
    from sentiment.settings import job_address
    from train_jobs.runtime.output import begins
    from train_jobs.train.job import run_job
    from train_jobs.train.ray_train import new_name
    from train_jobs.train.request import job_of

    request = job_of(job, options)
    name = request.name or new_name(request.config)

    def begin() -> None:
        """Say by which name the run is taken up."""
        bar.say(begins("Run", name))

    with ray_log_aside(settings):
        return asdict(run_job(replace(request, name=name), settings, job_address(), bar.take, begin, bar.say))


def _remotely(
    job: str, values: Mapping[str, Any], options: TrainingOptions, address: str, settings: Settings, bar: Bar
) -> dict[str, Any]:
    """Train as a job of the cluster at `address`, whose log moves the bar."""
    from train_jobs.runtime.output import follow
    from train_jobs.runtime.submit import submit

    refuse_unseen(places_of(values), address, options.working_dir, [("--storage", options.storage)])
    arguments = ["--config", json.dumps(values), "--workers", str(options.workers)]
    arguments += ["--gpus-per-worker", str(options.gpus_per_worker), "--wait", str(options.wait)]
    for option, value in (("--name", options.name), ("--storage", options.storage)):
        arguments += [option, value] if value else []
    arguments += ["--register"] if options.register_it else []
    lines = submit(f"train_jobs.{job}", arguments, address, settings, options.working_dir)
    with closing(lines):
        return follow(lines, bar.take, bar.say)


def _show(outcome: Mapping[str, Any]) -> None:
    from train_jobs.train.request import outcome_in_words

    for line in outcome_in_words(outcome):
        console.print(line, markup=False, highlight=False)
    if outcome.get("warning"):
        errors.print(f"Warning: {outcome['warning']}", markup=False, highlight=False)
