"""The command lines `python -m train_jobs.train` and `.distill`: they run the training in this process."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial

from sentiment.environment import is_followed
from sentiment.errors import InvalidInput
from sentiment.settings import job_address, load_settings
from train_jobs.runtime.options import read_options
from train_jobs.runtime.output import OUTCOME, begins, job_output
from train_jobs.runtime.progress import progress_listener
from train_jobs.train.job import run_job
from train_jobs.train.request import TrainingResult, job_of, outcome_in_words
from train_jobs.train.training_options import DistillOptions, TrainingOptions, TrainOptions

_LOG = logging.getLogger(__name__)


def run_from_command_line(job: str, description: str, arguments: Sequence[str]) -> None:
    """Run the training of a command line; its options are those of `undertone train` and `distill`.

    The log goes to standard error, the result to standard output.
    """
    kind = DistillOptions if job == "distill" else TrainOptions
    options = read_options(kind, f"python -m train_jobs.{job}", description, arguments)
    with job_output(options.home):
        outcome = asdict(_done(job, options))
    if options.as_json or is_followed():
        sys.stdout.write(f"{'' if options.as_json else OUTCOME}{json.dumps(outcome)}\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in outcome_in_words(outcome)))
        if outcome["warning"]:
            sys.stderr.write(f"Warning: {outcome['warning']}\n")


def _done(job: str, options: TrainingOptions) -> TrainingResult:
    from train_jobs.train.ray_train import new_name

    _require_joinable(job, options)
    request = job_of(job, options)
    name = request.name or new_name(request.config)
    say = partial(_LOG.info, "%s", begins("Run", name))
    listener, address = progress_listener(_LOG.info), options.address or job_address()
    return run_job(replace(request, name=name), load_settings(home=options.home), address, listener, say)


def _require_joinable(job: str, options: TrainingOptions) -> None:
    """Refuse options of a command that submits jobs: this process is the job, on a node of the cluster."""
    if options.working_dir:
        raise InvalidInput(
            f"--working-dir {options.working_dir} is for `undertone {job} --address http://HOST:8265`, which sends "
            f"the folder along; `python -m train_jobs.{job}` runs the installed code: leave it out",
            "working_dir",
        )
    if options.address and options.address.startswith(("http://", "https://")):
        raise InvalidInput(
            f"--address {options.address} is the address of a dashboard, for `undertone {job}`. "
            f"`python -m train_jobs.{job}` must run on a node of the cluster: give --address HOST:6379",
            "address",
        )
