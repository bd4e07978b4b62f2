"""The results of a search: the best configuration as YAML, all trials as JSON, and MLflow runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import yaml

from sentiment.errors import InvalidInput, RegistryUnavailable, no_room
from sentiment.registry.tracking import Run, Tracker
from train_jobs.runtime.drafts import draft_beside, write_whole
from train_jobs.runtime.locations import Location
from tune.plan import HyperparameterSearch, Trial, best_of, is_cut_off, ranked
from tune.space import Point

_PARENT: Final = "mlflow.parentRunId"
_EXPERIMENT: Final = "undertone-tuning"


class MlflowTrials:
    """The MLflow runs of a search: one for itself, and below it one for each trial with its curves.

    The ids are stored beside the search's identity, so that a resumed search continues the same runs. `digests` has
    the digest of each dataset version.
    """

    def __init__(
        self, tracker: Tracker, search: HyperparameterSearch, digests: Mapping[str, str], place: Location
    ) -> None:
        self._tracker, self._search, self._digests, self._place = tracker, search, digests, place
        self._known = self._kept()
        self._ended = set[str]()
        self._runs: dict[str, Run] = {}
        params = {"method": search.method, "trials": search.draws, **search.base}
        self.parent = self._begun(search.name, params, {"search": search.name, **self._data({})})

    def started(self, trial: str, point: Mapping[str, Any]) -> None:
        """Start or resume the run of a trial."""
        if trial not in self._runs:
            tags = {_PARENT: self.parent.run_id, "search": self._search.name, **self._data(point)}
            self._runs[trial] = self._begun(trial, point, tags)

    def _begun(self, name: str, params: Mapping[str, Any], tags: Mapping[str, str]) -> Run:
        if (run_id := self._known.get(name)) and (run := self._tracker.again(run_id)):
            return run
        run = self._tracker.run(name, params, tags, experiment=_EXPERIMENT)
        self._known[name] = run.run_id
        self._place.write(self._file, json.dumps(self._known, indent=2).encode() + b"\n")
        return run

    def _kept(self) -> dict[str, str]:
        content = self._place.read(self._file)
        return dict(json.loads(content)) if content else {}

    @property
    def _file(self) -> str:
        return f"{self._search.name}-runs.json"

    def _data(self, point: Mapping[str, Any]) -> dict[str, str]:
        ref = self._search.config_at(dict(point)).data
        return {"dataset": ref, "dataset_digest": self._digests[ref]}

    def validated(self, trial: str, figures: Mapping[str, float], validation: int) -> None:
        """Add the figures to the trial's curves."""
        self._runs[trial].log(figures, validation)

    def ended(self, trial: str, failed: bool) -> None:
        """End the trial's run."""
        self._ended.add(trial)
        self._runs[trial].finish("FAILED" if failed else "FINISHED")

    def waiting(self, text: str) -> None:
        """Do nothing: waiting trials have no figures."""

    def cut_off(self) -> None:
        """End the runs of unfinished trials; if the server does not answer, that is ignored."""
        for trial in self._runs.keys() - self._ended:
            with suppress(RegistryUnavailable):
                self._runs[trial].finish("KILLED")

    def tell(self, trials: list[Trial], out: Path) -> None:
        """Store the best score and the configuration in the search's run."""
        best = best_of(trials)
        self.parent.log({"best_score": best.score or 0.0, **best.figures}, 0)
        self.parent.artifact(out)


def require_writable(out: Path) -> None:
    """Check that the best configuration can be written to `out`, before hours are spent on the search.

    Raises:
        InvalidInput: it cannot.
    """
    with _written(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        draft_beside(out).touch()
        draft_beside(out).unlink()
    if out.is_dir():
        raise InvalidInput(
            f"{out} is a folder: name a file for the best configuration, such as --out best.yaml.", "out"
        )


def write_best(outcome: Mapping[str, Any], out: Path) -> None:
    """Write the best configuration as YAML for `undertone train --config`.

    Raises:
        InvalidInput: the file cannot be written.
    """
    figure = f"validation {outcome['monitor']} {abs(outcome['best']['score']):.4f}"
    search = f"the search {outcome['search']} ({outcome['method']})"
    head = f"# The best of {len(outcome['trials'])} trials of {search}: {figure}.\n"
    with _written(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, head + yaml.safe_dump(outcome["configuration"], sort_keys=False))


def plain(search: HyperparameterSearch, trials: list[Trial], out: Path, run_id: str | None) -> dict[str, Any]:
    """Return the results of a search for JSON, the best trial first; an interrupted one may have no best yet.

    Raises:
        InvalidInput: all trials have ended, and none has a score.
    """
    interrupted = is_cut_off(search, trials)
    is_scored = any(trial.score is not None for trial in trials)
    best = best_of(trials) if is_scored or not interrupted else None
    config = search.config_at(dict(best.point) if best else {})
    return {
        "search": search.name,
        "method": search.method,
        "monitor": config.monitor,
        "best": asdict(best) if best else None,
        "configuration": config.to_mapping() if best else None,
        "config": str(out) if best else None,
        "run_id": run_id,
        "trials": [asdict(trial) for trial in ranked(trials)],
        "interrupted": interrupted,
        "not_begun": _not_begun(search, trials) if interrupted else [],
    }


def _not_begun(search: HyperparameterSearch, trials: list[Trial]) -> list[Point | None]:
    """Return the points of the trials that were not started, None for points that were not chosen yet."""
    begun = [dict(trial.point) for trial in trials]
    points: list[Point | None] = [point for point in search.points if point not in begun]
    return points or [None] * (search.draws - len(trials))


@contextmanager
def _written(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise no_room(exc) or InvalidInput(
            f"{out} cannot be written ({exc.strerror}): name another --out.", "out"
        ) from exc
