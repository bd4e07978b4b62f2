"""What a search found: the best configuration as YAML, all trials as JSON, runs of MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import yaml

from sentiment.tracking import Run, Tracker
from tune.plan import Search, Trial, best_of, ranked

_PARENT: Final = "mlflow.parentRunId"
_EXPERIMENT: Final = "undertone-tuning"


class MlflowTrials:
    """A run of MLflow for a search, and one below it for each trial, with its curves."""

    def __init__(self, tracker: Tracker, search: Search) -> None:
        self._tracker, self._search = tracker, search
        params = {"method": search.method, "trials": search.draws, **search.base}
        self.parent = tracker.run(search.name, params, {"search": search.name}, experiment=_EXPERIMENT)
        self._runs: dict[str, Run] = {}

    def started(self, trial: str, point: Mapping[str, Any]) -> None:
        """Begin the trial's run."""
        if trial not in self._runs:
            tags = {_PARENT: self.parent.run_id, "search": self._search.name}
            self._runs[trial] = self._tracker.run(trial, point, tags, experiment=_EXPERIMENT)

    def validated(self, trial: str, figures: Mapping[str, float], validation: int) -> None:
        """Add the figures to the trial's curves."""
        self._runs[trial].log(figures, validation)

    def ended(self, trial: str, failed: bool) -> None:
        """End the trial's run."""
        self._runs[trial].finish("FAILED" if failed else "FINISHED")

    def tell(self, trials: list[Trial], out: Path) -> None:
        """Tell the search's run what came of it."""
        best = best_of(trials)
        self.parent.log({"best_score": best.score or 0.0, **best.figures}, 0)
        self.parent.artifact(out)


def write_best(search: Search, trials: list[Trial], out: Path) -> None:
    """Write the configuration of the best trial as YAML that `undertone train --config` takes.

    Raises:
        InvalidInput: no trial came to a score.
    """
    best = best_of(trials)
    config = search.config_at(dict(best.point))
    figure = f"validation {config.monitor} {abs(best.score or 0.0):.4f}"
    head = f"# The best of {len(trials)} trials of the search {search.name} ({search.method}): {figure}.\n"
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.with_name(f".{out.name}.draft")
    draft.write_text(head + yaml.safe_dump(config.to_mapping(), sort_keys=False), encoding="utf-8")
    draft.replace(out)


def plain(search: Search, trials: list[Trial], out: Path, run_id: str | None) -> dict[str, Any]:
    """Return what a search found, the best trial first, for JSON."""
    return {
        "search": search.name,
        "method": search.method,
        "monitor": search.config_at(dict(trials[0].point)).monitor,
        "best": asdict(best_of(trials)),
        "config": str(out),
        "run_id": run_id,
        "trials": [asdict(trial) for trial in ranked(trials)],
    }
