"""`undertone tune`: search for the hyperparameters of a training."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.extras import require_train
from cli.offline.cluster import places_of, refuse_unseen, remotely
from cli.stores.registry import with_registry
from cli.terminal import print_table
from sentiment.settings import Settings, job_address, load_settings
from train_jobs.runtime.options import CommandOptions, with_options, words_of
from train_jobs.runtime.ray_log import ray_log_aside
from tune.options import SearchOptions

if TYPE_CHECKING:
    from tune.plan import HyperparameterSearch

_INTERRUPTED = 130  # a shell's status of a program that Ctrl+C ended
_errors = Console(stderr=True, soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("tune")(with_options(tune))


def tune(options: SearchOptions, command: CommandOptions) -> None:
    """Search for hyperparameters: each trial is a training, the best configuration is written as YAML.

    Examples:

      undertone tune --model cnn --data reviews@1 --search grid --space dropout

      undertone tune --model minilm --data tweets@3 --search asha --trials 20 --space space.yaml

      undertone train --config best.yaml
    """
    require_train()
    from tune.interruption import SearchInterrupted
    from tune.progress.lines import interrupted_lines
    from tune.search import search_of

    search, settings = search_of(options), load_settings(home=command.home)
    out, status = options.out or Path("best.yaml"), 0
    try:
        if command.address:
            results = _remotely(search, out, command, command.address, settings)
        else:
            results = _here(search, out, with_registry(settings), command.as_json)
    except SearchInterrupted as interrupted:
        results, status = dict(interrupted.found or {}), interrupted.status
        for line in interrupted_lines(search.name, interrupted.found):
            _say(line)
    if results:
        sys.stdout.write(json.dumps(results) + "\n") if command.as_json else print_table(Console(), _table(results))
    if status:
        sys.exit(status)


def _here(search: HyperparameterSearch, out: Path, settings: Settings, as_json: bool) -> dict[str, Any]:
    """Search from this process, which drives Ray."""
    from train_jobs.runtime.output import begins
    from tune.progress.lines import TrialLines, WaitingLines
    from tune.search import run_search

    listener = WaitingLines(_say) if as_json else TrialLines(search.draws, _say)
    with ray_log_aside(settings):
        return run_search(search, settings, job_address(), out, listener, lambda: _say(begins("Search", search.name)))


def _remotely(
    search: HyperparameterSearch, out: Path, command: CommandOptions, address: str, settings: Settings
) -> dict[str, Any]:
    """Search as a job of the cluster at `address`, and write the best configuration here."""
    from tune.results import require_writable, write_best

    refuse_unseen(_places(search), address, command.working_dir, [("--storage", search.storage)])
    require_writable(out)
    try:
        results = remotely("tune.search", words_of(_job_options(search)), command, settings)
    except KeyboardInterrupt:
        _say(f"Stopped following; the search {search.name} goes on in the cluster at {address}.")
        sys.exit(_INTERRUPTED)
    write_best(results, out)
    return {**results, "config": str(out)}


def _places(search: HyperparameterSearch) -> list[tuple[str, str | None]]:
    """Return what may name files, by its option: what all trials share, and every value of what varies."""
    from tune.plan import corners
    from tune.space import configured

    return [place for point in corners(search.space) for place in places_of(configured(search.base, point))]


def _job_options(search: HyperparameterSearch) -> SearchOptions:
    """Return the options of the job for a cluster, with the contents of this machine's files instead of their names."""
    varied = {dimension.field: dimension.plain() for dimension in search.space.dimensions}
    return SearchOptions(
        space=json.dumps({"space": varied}),
        config=json.dumps(dict(search.base)),
        search=search.method,
        name=search.name,
        trials=search.trials,
        concurrent=search.concurrent,
        workers=search.workers,
        gpus_per_worker=search.gpus_per_worker,
        seed=search.seed,
        storage=search.storage,
    )


def _say(line: str) -> None:
    _errors.print(line, markup=False, highlight=False)


def _table(results: Mapping[str, Any]) -> Table:
    """Return the trials as a table: what each tried, its score and how it ended."""
    from tune.progress.lines import short

    fields = list(results["trials"][0]["point"]) if results["trials"] else []
    title = f"{results['search']} ({results['method']})"
    caption = f"The best configuration is in {results['config']}" if results["best"] else "No trial reached a score."
    table = Table(
        title=title, title_justify="left", caption=caption, caption_justify="left", box=None, padding=(0, 2, 0, 0)
    )
    for heading in (*fields, results["monitor"], "validations", "seconds", "state"):
        table.add_column(heading)
    for trial in results["trials"]:
        score = "" if trial["score"] is None else f"{trial['score']:.4f}"
        values = [escape(short(trial["point"].get(field))) for field in fields]
        state = escape(trial["reason"] or trial["state"])
        table.add_row(*values, score, str(trial["validations"]), f"{trial['seconds']:.1f}", state)
    return table
