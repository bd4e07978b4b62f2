"""`undertone compare`: models side by side, trained here or on a Ray cluster, the linear baseline among them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import typer

from cli.extras import require_train
from cli.offline.cluster import places_of, refuse_local, refuse_unseen, remotely
from cli.offline.evaluate import errors, show
from cli.stores.registry import with_registry
from sentiment.settings import Settings, job_address, load_settings
from train_jobs.compare.options import CompareOptions
from train_jobs.runtime.options import CommandOptions, with_options, words_of
from train_jobs.runtime.ray_log import ray_log_aside


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(with_options(compare))


def compare(options: CompareOptions, command: CommandOptions) -> None:
    """Compare models: what each costs to train and to serve, what it reaches, and whether it beats the linear baseline.

    A field that is set under a model's name, as --set lstm.learning_rate=0.002, is that model's alone. Ended at any
    moment, the same command goes on where it was.

    Examples:

      undertone compare --data reviews@1 --models lstm,cnn,bert-gru,distilbert,student --set window_tokens=256

      undertone compare --data tweets@3 --test tweets-test@1 --versions models:/sentiment/7,build/student/version
    """
    require_train()
    from train_jobs.train.request import read_config

    settings = load_settings(home=command.home)
    if command.address:
        refuse_local(options.out, "--out")
        refuse_unseen(_places(options), command.address, command.working_dir)
        job_options = replace(options, config=json.dumps(read_config(options.config)))  # the file is this machine's
        outcome = remotely("train_jobs.compare", words_of(job_options), command, settings)
    else:
        outcome = _here(with_registry(settings), options)
    show(outcome, command.as_json)


def _places(options: CompareOptions) -> list[tuple[str, str | None]]:
    """Return what may name files, by what a user calls it; a teacher that is compared itself is none."""
    from train_jobs.compare.comparison import config_of

    config = config_of(options)
    places: list[tuple[str, str | None]] = [("--versions", ref) for ref in config.versions]
    for name in ("", *config.models):
        own = config.training.get(name) or {} if name else config.training
        places += [(f"{name} {called}".strip(), ref) for called, ref in places_of(own) if ref not in config.models]
    return places


def _here(settings: Settings, options: CompareOptions) -> dict[str, Any]:
    """Compare on this machine, or inside the Ray job that this process is."""
    from train_jobs.compare.comparison import compare_and_keep, config_of

    config = config_of(options)
    with ray_log_aside(settings), errors.status("Comparing …") as shown:

        def on_step(step: str, report: Mapping[str, float]) -> None:
            """Show the step that is under way, and how far a training is."""
            where = f", step {report['step']:,.0f} of {report['total_steps']:,.0f}" if "total_steps" in report else ""
            shown.update(f"{step[:1].upper()}{step[1:]}{where} …")

        outcome = compare_and_keep(settings, config, options.out, address=job_address(), on_step=on_step)
    errors.print(f"Table and plots: {outcome['folder']}", markup=False, highlight=False)
    return outcome
