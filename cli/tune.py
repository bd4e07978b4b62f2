"""`undertone tune`: search for the hyperparameters of a training."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.extras import require_train
from cli.platform import Home, Json
from cli.ray_log import ray_log_aside
from cli.registry import with_registry
from cli.training_options import Data
from sentiment.settings import job_address, load_settings

Set = Annotated[list[str] | None, typer.Option("--set", help="FIELD=VALUE that all trials share; repeatable.")]
_errors = Console(stderr=True, soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("tune")(tune)


def tune(
    space: Annotated[str, typer.Option(help="YAML file of the search space, or one that ships: dropout, finetune.")],
    data: Data = None,
    model: Annotated[str | None, typer.Option(help="lstm, cnn, bert-gru, minilm, distilbert or student.")] = None,
    search: Annotated[str, typer.Option(help="grid, random, asha or optuna.")] = "random",
    trials: Annotated[int | None, typer.Option(min=1, help="How many trials (10); a grid has all its points.")] = None,
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
    address: Annotated[str | None, typer.Option(help="A running Ray cluster to search on.")] = None,
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
    from train_jobs.job import assignment
    from tune.job import Request, run_search, search_of

    named = {"data": data, "model": model}
    fields = {**dict(assignment(text) for text in changes or []), **{k: v for k, v in named.items() if v is not None}}
    sized = (trials, concurrent, workers, gpus_per_worker, seed, storage, out)
    asked = search_of(Request(space, search, fields, config, name, *sized))
    settings = with_registry(load_settings(home=home))
    listener = None if as_json else _Lines(asked.draws)
    with ray_log_aside(settings):
        found = run_search(asked, settings, address or job_address(), out, listener)
    sys.stdout.write(json.dumps(found) + "\n") if as_json else Console().print(_table(found))


class _Lines:
    """Tells of trials line by line, on standard error."""

    def __init__(self, trials: int) -> None:
        self._trials, self._numbers = trials, dict[str, int]()

    def started(self, trial: str, point: Mapping[str, Any]) -> None:
        """Say what a trial tries."""
        number = self._numbers.setdefault(trial, len(self._numbers) + 1)
        self._say(number, ", ".join(f"{field} {_short(value)}" for field, value in point.items()))

    def validated(self, trial: str, figures: Mapping[str, float], validation: int) -> None:
        """Say how good it is so far."""
        self._say(self._numbers[trial], f"validation {validation}: score {figures['score']:.4f}")

    def ended(self, trial: str, failed: bool) -> None:
        """Say that it is over."""
        self._say(self._numbers[trial], "failed" if failed else "ended")

    def _say(self, number: int, text: str) -> None:
        _errors.print(f"trial {number} of {self._trials}: {text}", markup=False, highlight=False)


def _table(found: Mapping[str, Any]) -> Table:
    """Return the trials as a table: what each tried, its score and how it ended."""
    fields = list(found["best"]["point"])
    title, caption = f"{found['search']} ({found['method']})", f"The best is in {found['config']}"
    table = Table(
        title=title, title_justify="left", caption=caption, caption_justify="left", box=None, padding=(0, 2, 0, 0)
    )
    for heading in (*fields, found["monitor"], "validations", "seconds", "state"):
        table.add_column(heading)
    for trial in found["trials"]:
        score = "" if trial["score"] is None else f"{trial['score']:.4f}"
        values = [escape(_short(trial["point"].get(field))) for field in fields]
        state = escape(trial["reason"] or trial["state"])
        table.add_row(*values, score, str(trial["validations"]), f"{trial['seconds']:.1f}", state)
    return table


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
