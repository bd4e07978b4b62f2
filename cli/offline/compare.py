"""`undertone compare`: models side by side, trained here or on a Ray cluster, the linear baseline among them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.extras import require_train
from cli.offline.cluster import places_of, refuse_local, refuse_unseen, remotely
from cli.offline.evaluate import errors, show
from cli.options import Home, Json
from cli.stores.registry import with_registry
from sentiment.settings import Settings, job_address, load_settings
from train_jobs.runtime.options import Address, Config, Gpus, Set, Workers, WorkingDir
from train_jobs.runtime.ray_log import ray_log_aside


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(compare)


def compare(
    data: Annotated[str, typer.Option("--data", "-d", help="Dataset version to train on, such as reviews@1.")],
    models: Annotated[str, typer.Option(help="Presets to train: lstm,cnn,bert-gru,distilbert,student.")] = "",
    versions: Annotated[str, typer.Option(help="Versions that there are: folders or models:/NAME/NUMBER.")] = "",
    validation: Annotated[str | None, typer.Option(help="Dataset version to choose on.")] = None,
    test: Annotated[str | None, typer.Option(help="Dataset version to test on; else a tenth.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs of every model.")] = None,
    config: Config = None,
    changes: Set = None,
    workers: Workers = 1,
    gpus_per_worker: Gpus = 0,
    threads: Annotated[int, typer.Option(min=1, help="Threads of training on a CPU, and of measuring.")] = 2,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for table and plots (in home).")] = None,
    address: Address = None,
    working_dir: WorkingDir = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Compare models: what each costs to train and to serve, what it reaches, and whether it beats the linear baseline.

    A field that is set under a model's name, as --set lstm.learning_rate=0.002, is that model's alone. Ended at any
    moment, the same command goes on where it was.

    Examples:

      undertone compare --data reviews@1 --models lstm,cnn,bert-gru,distilbert,student --set window_tokens=256

      undertone compare --data tweets@3 --test tweets-test@1 --versions models:/sentiment/7,build/student/version
    """
    require_train()
    from train_jobs.train.request import read_config

    settings = load_settings(home=home)
    arguments = ["--data", data, "--models", models, "--versions", versions, "--workers", str(workers)]
    arguments += ["--gpus-per-worker", str(gpus_per_worker), "--threads", str(threads)]
    named = {"--validation": validation, "--test": test, "--epochs": epochs}
    arguments += [word for option, value in named.items() if value is not None for word in (option, str(value))]
    arguments += ["--config", json.dumps(read_config(config))]  # the file is this machine's
    arguments += [word for change in changes or [] for word in ("--set", change)]
    if address:
        refuse_local(out, "--out")
        refuse_unseen(_places(arguments), address, working_dir)
        show(remotely("train_jobs.compare", arguments, address, settings, working_dir), as_json)
        return
    show(_here(with_registry(settings), arguments, out), as_json)


def _places(arguments: Sequence[str]) -> list[tuple[str, str | None]]:
    """Return what may name files, by what a user calls it; a teacher that is compared itself is none."""
    from train_jobs.compare.comparison import config_of, parser

    config = config_of(parser().parse_args(list(arguments)))
    found: list[tuple[str, str | None]] = [("--versions", ref) for ref in config.versions]
    for name in ("", *config.models):
        own = config.training.get(name) or {} if name else config.training
        found += [(f"{name} {called}".strip(), ref) for called, ref in places_of(own) if ref not in config.models]
    return found


def _here(settings: Settings, arguments: Sequence[str], out: Path | None) -> dict[str, Any]:
    """Compare on this machine, or inside the Ray job that this process is."""
    from train_jobs.compare.comparison import compare_and_keep, config_of, parser

    config = config_of(parser().parse_args(list(arguments)))
    with ray_log_aside(settings), errors.status("Comparing …") as shown:

        def on_step(step: str, report: Mapping[str, float]) -> None:
            """Show the step that is under way, and how far a training is."""
            where = f", step {report['step']:,.0f} of {report['total_steps']:,.0f}" if "total_steps" in report else ""
            shown.update(f"{step[:1].upper()}{step[1:]}{where} …")

        outcome = compare_and_keep(settings, config, out, address=job_address(), on_step=on_step)
    errors.print(f"Table and plots: {outcome['folder']}", markup=False, highlight=False)
    return outcome
