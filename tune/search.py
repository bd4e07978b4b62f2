"""Search for hyperparameters with Ray Tune: each trial is a training by Ray Train, the best configuration is written.

    python -m tune.search --data reviews@1 --model cnn --search grid --space dropout --out best.yaml
    python -m tune.search --data tweets@3 --model minilm --search optuna --trials 20 --space space.yaml --out best.yaml

`undertone train --config best.yaml` trains with the result. The same command with --name resumes a killed search.
"""

from __future__ import annotations

import json
import logging
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sentiment.errors import InvalidInput
from sentiment.settings import Settings, job_address, load_settings
from train_jobs.runtime.options import Address, read_options
from train_jobs.runtime.output import OUTCOME, begins, job_output, tell_failure
from train_jobs.runtime.storage import require_run_name, require_storage, storage_of
from tune.interruption import Interruption, SearchInterrupted, interruptible
from tune.options import SearchOptions
from tune.plan import METHODS, HyperparameterSearch, check, corners, default_method
from tune.progress.watch import Listener
from tune.search_state import claim, location_of, trainings_of
from tune.space import configured, read_space

if TYPE_CHECKING:
    from train_jobs.train.prepare import RunLocations

_LOG = logging.getLogger(__name__)
_OUT: Final = "best.yaml"


def search_of(options: SearchOptions) -> HyperparameterSearch:
    """Return the requested search; fields of the space override those of the file, fields of the options both.

    Raises:
        InvalidInput: the file, the space or an option is wrong; the error names it.
    """
    from train_jobs.train.request import read_config

    if options.search not in (*METHODS, None):
        raise InvalidInput(f"--search must be one of {', '.join(METHODS)}, not {options.search!r}.", "search")
    space = read_space(options.space)
    method = options.search or default_method(space, options.trials)
    base = configured(configured(read_config(options.config), space.shared), _fields_of(options))
    search = HyperparameterSearch(
        name=options.name or f"{method}-{uuid.uuid4().hex[:8]}",
        base=base,
        space=space,
        method=method,
        trials=options.trials,
        concurrent=options.concurrent,
        workers=options.workers,
        gpus_per_worker=options.gpus_per_worker,
        seed=options.seed,
        storage=options.storage,
    )
    check(search)
    return search


def _fields_of(options: SearchOptions) -> dict[str, Any]:
    """Return the fields that options give: each `--set FIELD=VALUE`, then --data and --model, which win.

    Raises:
        InvalidInput: a change is not FIELD=VALUE.
    """
    from train_jobs.train.request import assignment

    named = {"data": options.data, "model": options.model}
    given = {name: value for name, value in named.items() if value is not None}
    return {**dict(assignment(text) for text in options.changes or []), **given}


def run_search(
    search: HyperparameterSearch,
    settings: Settings,
    address: str | None,
    out: Path,
    listener: Listener | None = None,
    on_begin: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Search, track it in MLflow, write the best configuration to `out`, and return the results for JSON.

    `on_begin` is called when all checks have passed; from then on an interrupted search can be resumed.

    Raises:
        UndertoneError: the data, the model, the storage or a server refuses, or no trial has a score.
        SearchInterrupted: a signal ended the search; the error has the results so far, which are stored as well.
    """
    with interruptible() as interruption:
        try:
            return _searched(search, settings, address, out, listener, on_begin, interruption)
        except SearchInterrupted:
            raise
        except KeyboardInterrupt as exc:
            raise SearchInterrupted(interruption.status) from exc


def _searched(
    search: HyperparameterSearch,
    settings: Settings,
    address: str | None,
    out: Path,
    listener: Listener | None,
    on_begin: Callable[[], None],
    interruption: Interruption,
) -> dict[str, Any]:
    from sentiment.registry.tracking import Tracker, ended
    from train_jobs.runtime.tracking_server import tracking_server
    from train_jobs.train.class_balance import warn_of_missing_classes
    from train_jobs.train.prepare import RunLocations, require_trainable
    from tune.references import digests, with_fixed_references
    from tune.results import MlflowTrials, plain, write_best
    from tune.trials import search_for

    _require_places(search, settings, out)
    configs = [search.config_at(point) for point in corners(search.space)]
    for config in configs:
        require_trainable(config, RunLocations.of(settings))
    warn_of_missing_classes(configs, RunLocations.of(settings))
    with tracking_server(settings) as uri:
        places = RunLocations.of(settings, uri)
        search = with_fixed_references(search, places)
        claim(search, settings)
        tracked = MlflowTrials(Tracker(uri), search, digests(search, places), location_of(search, settings))
        listeners = [tracked, listener] if listener else [tracked]
        with ended(tracked.parent):
            with _ray_with_room(search, address, settings, places):
                interruption.listen()
                on_begin()
                trials = search_for(search, settings, uri, listeners)
                interruption.listen()
            found = plain(search, trials, out, tracked.parent.run_id)
            if found["best"]:
                write_best(found, out)
                tracked.tell(trials, out)
            if found["interrupted"]:
                tracked.cut_off()
                raise SearchInterrupted(interruption.status, found)
    return found


@contextmanager
def _ray_with_room(
    search: HyperparameterSearch, address: str | None, settings: Settings, places: RunLocations
) -> Iterator[None]:
    """Connect to Ray while the block runs, and check that its nodes can run each of the search's trials.

    Raises:
        InvalidInput: they cannot, or this machine has too few GPUs.
        Unavailable: there is no cluster at that address.
    """
    from train_jobs.train import ray_train as train

    at_once = search.concurrent * search.workers
    cpus = max(train.cpus_of(at_once, search.config_at(point)) for point in corners(search.space))
    with train.ray_running(address, cpus, search.gpus_per_worker * at_once or None):
        require_nodes(search, settings, places)
        yield


def require_nodes(search: HyperparameterSearch, settings: Settings, places: RunLocations) -> None:
    """Check that nodes have room for each trial, and that all of them see the storage and the data; Ray must run.

    Raises:
        InvalidInput: the error names the field to change, or the nodes and the location.
    """
    from train_jobs.runs.capacity import require_capacity
    from train_jobs.runs.storage_probe import require_shared
    from tune.trial.run import resource_request_of, with_fixed_threads

    sized = with_fixed_threads(search)
    path, filesystem = storage_of(trainings_of(search, settings), settings)
    checked = set[tuple[str, str | None]]()
    for config in (search.config_at(point) for point in corners(search.space)):
        need, data = resource_request_of(sized, config), (config.data, config.validation)
        require_capacity(need)
        if data not in checked:
            require_shared(path, filesystem, config, need, places)
            checked.add(data)


def _require_places(search: HyperparameterSearch, settings: Settings, out: Path) -> None:
    from tune.results import require_writable

    require_run_name(search.name)
    if search.storage:
        require_storage(search.storage, settings)
    require_writable(out)


@dataclass(frozen=True, kw_only=True)
class _JobOptions(SearchOptions):
    """The options of the module: a job joins a cluster itself."""

    address: Address = None


def run_from_command_line(description: str, arguments: Sequence[str]) -> None:
    """Do the search of a command line; log and outcome go to standard output and error as those of other jobs do."""
    from tune.progress.lines import TrialLines, interrupted_lines

    options = read_options(_JobOptions, "python -m tune.search", description.partition("\n")[0], arguments)
    with job_output():
        search, settings = search_of(options), load_settings()
        _LOG.info("search %s", search.name)
        out = options.out or _place_of(search, settings)
        lines = TrialLines(search.draws, _LOG.info)
        say = partial(_LOG.info, "%s", begins("Search", search.name))
        try:
            outcome = run_search(search, settings, options.address or job_address(), out, lines, say)
        except SearchInterrupted as interrupted:
            outcome, status = None, interrupted.status
            reason = interrupted_lines(search.name, interrupted.found)
    if outcome is None:
        tell_failure(" ".join(reason))
        sys.exit(status)
    sys.stdout.write(f"{OUTCOME}{json.dumps(outcome)}\n")


def _place_of(search: HyperparameterSearch, settings: Settings) -> Path:
    """Return where the best goes if nothing is said: on a cluster into home, the command that follows has its own."""
    return settings.home / "tune" / f"{search.name}-{_OUT}" if job_address() else Path(_OUT)


def main(arguments: Sequence[str]) -> None:
    """Do the search of the command line; write what it found to standard output."""
    run_from_command_line(__doc__ or "", arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
