"""`undertone tune`: search for the hyperparameters of a training."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.extras import require_train
from cli.offline.cluster import places_of, refuse_unseen, remotely
from cli.options import Home, Json
from cli.stores.registry import with_registry
from cli.terminal import print_table
from sentiment.settings import Settings, job_address, load_settings
from train_jobs.runtime.options import Address, WorkingDir
from train_jobs.runtime.ray_log import ray_log_aside
from train_jobs.train.training_options import Data

if TYPE_CHECKING:
    from tune.plan import HyperparameterSearch

Set = Annotated[list[str] | None, typer.Option("--set", help="FIELD=VALUE that all trials share; repeatable.")]
_INTERRUPTED = 130  # a shell's status of a program that Ctrl+C ended
_errors = Console(stderr=True, soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("tune")(tune)


def tune(
    space: Annotated[str, typer.Option(help="YAML file of the search space, or one that ships: dropout, finetune.")],
    data: Data = None,
    model: Annotated[str | None, typer.Option(help="lstm, cnn, bert-gru, minilm, distilbert, hub or student.")] = None,
    search: Annotated[
        str | None, typer.Option(help="grid, random, asha or optuna (grid if all are choices, else random).")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="How many trials at most (10; a grid: all its points).")
    ] = None,
    concurrent: Annotated[int, typer.Option(min=1, help="Trials at a time.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Data-parallel workers of a trial.")] = 1,
    gpus_per_worker: Annotated[float, typer.Option(min=0, help="GPUs of each worker.")] = 0,
    config: Annotated[str | None, typer.Option(help="YAML file with what all trials share.")] = None,
    changes: Set = None,
    seed: Annotated[int, typer.Option(help="Seed of what is drawn.")] = 42,
    name: Annotated[str | None, typer.Option(help="Name of the search; one that was ended goes on.")] = None,
    storage: Annotated[
        str | None, typer.Option(help="Folder or s3:// address of what it keeps (tune in home).")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the best configuration is written.")] = Path(
        "best.yaml"
    ),
    address: Address = None,
    working_dir: WorkingDir = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Search for hyperparameters: each trial is a training, the best configuration is written as YAML.

    Examples:

      undertone tune --model cnn --data reviews@1 --search grid --space dropout

      undertone tune --model minilm --data tweets@3 --search asha --trials 20 --space space.yaml

      undertone train --config best.yaml
    """
    require_train()
    from tune.interruption import SearchInterrupted
    from tune.progress.lines import interrupted_lines
    from tune.search import SearchRequest, fields_of, search_of

    sized = (trials, concurrent, workers, gpus_per_worker, seed, storage)
    asked = search_of(SearchRequest(space, search, fields_of(changes or [], data, model), config, name, *sized))
    status = 0
    try:
        if address:
            found = _remotely(asked, out, address, load_settings(home=home), working_dir)
        else:
            found = _here(asked, out, with_registry(load_settings(home=home)), as_json)
    except SearchInterrupted as interrupted:
        found, status = dict(interrupted.found or {}), interrupted.status
        for line in interrupted_lines(asked.name, interrupted.found):
            _say(line)
    if found:
        sys.stdout.write(json.dumps(found) + "\n") if as_json else print_table(Console(), _table(found))
    if status:
        sys.exit(status)


def _here(asked: HyperparameterSearch, out: Path, settings: Settings, as_json: bool) -> dict[str, Any]:
    """Search from this process, which drives Ray."""
    from train_jobs.runtime.output import begins
    from tune.progress.lines import TrialLines, WaitingLines
    from tune.search import run_search

    listener = WaitingLines(_say) if as_json else TrialLines(asked.draws, _say)
    with ray_log_aside(settings):
        return run_search(asked, settings, job_address(), out, listener, lambda: _say(begins("Search", asked.name)))


def _remotely(
    asked: HyperparameterSearch, out: Path, address: str, settings: Settings, working_dir: str | None
) -> dict[str, Any]:
    """Search as a job of the cluster at `address`, and write the best configuration here."""
    from tune.results import require_writable, write_best

    refuse_unseen(_places(asked), address, working_dir, [("--storage", asked.storage)])
    require_writable(out)
    try:
        found = remotely("tune.search", _arguments(asked), address, settings, working_dir)
    except KeyboardInterrupt:
        _say(f"No longer followed; the search {asked.name} goes on in the cluster at {address}.")
        sys.exit(_INTERRUPTED)
    write_best(found, out)
    return {**found, "config": str(out)}


def _places(asked: HyperparameterSearch) -> list[tuple[str, str | None]]:
    """Return what may name files, by its option: what all trials share, and every value of what varies."""
    from tune.plan import corners
    from tune.space import configured

    return [place for point in corners(asked.space) for place in places_of(configured(asked.base, point))]


def _arguments(asked: HyperparameterSearch) -> list[str]:
    """Return the command line of the job for a cluster; files of this machine are sent as what they say."""
    varied = {dimension.field: dimension.plain() for dimension in asked.space.dimensions}
    options: dict[str, Any] = {
        "--space": json.dumps({"space": varied}),
        "--config": json.dumps(dict(asked.base)),
        "--search": asked.method,
        "--name": asked.name,
        "--trials": asked.trials,
        "--concurrent": asked.concurrent,
        "--workers": asked.workers,
        "--gpus-per-worker": asked.gpus_per_worker,
        "--seed": asked.seed,
        "--storage": asked.storage,
    }
    return [word for option, value in options.items() if value is not None for word in (option, str(value))]


def _say(line: str) -> None:
    _errors.print(line, markup=False, highlight=False)


def _table(found: Mapping[str, Any]) -> Table:
    """Return the trials as a table: what each tried, its score and how it ended."""
    from tune.progress.lines import short

    fields = list(found["trials"][0]["point"]) if found["trials"] else []
    title = f"{found['search']} ({found['method']})"
    caption = f"The best is in {found['config']}" if found["best"] else "No trial has a score."
    table = Table(
        title=title, title_justify="left", caption=caption, caption_justify="left", box=None, padding=(0, 2, 0, 0)
    )
    for heading in (*fields, found["monitor"], "validations", "seconds", "state"):
        table.add_column(heading)
    for trial in found["trials"]:
        score = "" if trial["score"] is None else f"{trial['score']:.4f}"
        values = [escape(short(trial["point"].get(field))) for field in fields]
        state = escape(trial["reason"] or trial["state"])
        table.add_row(*values, score, str(trial["validations"]), f"{trial['seconds']:.1f}", state)
    return table
