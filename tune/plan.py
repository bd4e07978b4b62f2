"""The plan of a hyperparameter search, its checks before anything runs, and the results of its trials."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from sentiment.errors import InvalidInput
from sentiment.training.config import TrainConfig, from_mapping
from sentiment.validation_messages import shown
from tune.points import grid_points, random_points
from tune.space import Point, Space, configured

Method = Literal["grid", "random", "asha", "optuna"]

State = Literal["finished", "stopped", "failed", "unfinished"]

METHODS: Final[tuple[Method, ...]] = get_args(Method)
_TRIALS: Final = 10
_MOST_TRIALS: Final = 10_000
_LARGEST_SEED: Final = 2**32 - 1  # of NumPy's generators, which Ray Tune and Optuna draw from


@dataclass(frozen=True)
class HyperparameterSearch:
    """A search for hyperparameters; no point of the space is tried twice."""

    name: str
    """A search of the same name is resumed."""
    base: Mapping[str, Any]
    """Fields of the training configuration that all trials share."""
    space: Space
    method: Method = "random"
    """`grid` tries all points, or `trials` random ones of them; `random` draws points.

    `asha` draws points too, and stops a trial after 1, 3, 9 … validations unless its score is in the upper third (Li et
    al. 2020, "A system for massively parallel hyperparameter tuning"). `optuna` chooses by a model of the scores (TPE).
    """
    trials: int | None = None
    concurrent: int = 1
    """Trials that run at a time."""
    workers: int = 1
    """Data-parallel workers of each trial."""
    gpus_per_worker: float = 0
    seed: int = 42
    storage: str | None = None

    @property
    def draws(self) -> int:
        """Number of trials, at most the number of points of a finite space."""
        size = self.space.size
        requested = self.trials or (size if self.method == "grid" and size else _TRIALS)
        return requested if size is None else min(requested, size)

    @property
    def points(self) -> list[Point]:
        """The points of the trials, in order; empty for `optuna`, which chooses them while it runs.

        Raises:
            InvalidInput: the space has fewer points, or a grid is infinite.
        """
        if self.method == "optuna":
            return []
        draw = grid_points if self.method == "grid" else random_points
        return draw(self.space, self.draws, self.seed)

    @property
    def trains_in_process(self) -> bool:
        """Whether trials train in their own process, one after the other; several workers or GPUs need Ray Train."""
        return self.workers == 1 and not self.gpus_per_worker

    def identity(self) -> dict[str, Any]:
        """Return everything that must be equal for a search to be resumed."""
        space = {dimension.field: [dimension.kind, *dimension.values] for dimension in self.space.dimensions}
        plain = {"base": dict(self.base), "space": space, "method": self.method, "seed": self.seed}
        return {**plain, "trials": self.draws, "workers": self.workers}

    def config_at(self, point: Point) -> TrainConfig:
        """Return the configuration of a trial. Raises InvalidInput, naming the field."""
        return from_mapping(configured(self.base, point))


@dataclass(frozen=True)
class Trial:
    """Result of a trial."""

    name: str
    point: Point
    state: State
    """`stopped`: given up early; `unfinished`: the search ended before it."""
    score: float | None
    """The best value of the monitored figure, a loss negated."""
    validations: int
    seconds: float
    figures: Mapping[str, float] = field(default_factory=dict)
    """All figures of the validation with the best score."""
    reason: str | None = None
    """Why it failed."""


def default_method(space: Space, trials: int | None) -> Method:
    """Return the default method: a grid if the space has only choices and `trials` are enough for all, else random."""
    is_grid = space.has_choices_only and (trials is None or (space.size or 0) <= trials)
    return "grid" if is_grid else "random"


def check(search: HyperparameterSearch) -> None:
    """Check that a search can run and would try no point twice.

    Raises:
        InvalidInput: an option or a field of the space is wrong; the error names it.
    """
    if search.method not in METHODS:
        raise InvalidInput(f"--search must be one of {', '.join(METHODS)}, not {search.method!r}.", "search")
    for option, value, most in _bounded(search):
        if value is not None and not (1 if option != "seed" else 0) <= value <= most:
            least = 0 if option == "seed" else 1
            raise InvalidInput(f"--{option} is {value}; it must be from {least} to {most}.", option)
    if not (math.isfinite(search.gpus_per_worker) and search.gpus_per_worker >= 0):
        raise InvalidInput(f"--gpus-per-worker is {search.gpus_per_worker}; it must be 0 or more.", "gpus_per_worker")
    if search.draws > _MOST_TRIALS:
        raise InvalidInput(
            f"The grid has {search.draws} points; a search may have at most {_MOST_TRIALS} trials. Give --trials, such "
            "as 100, to try that many random points of it.",
            "trials",
        )
    if not search.base.get("data"):
        raise InvalidInput("No dataset version is named: give --data NAME@VERSION, such as tweets@3.", "data")
    _require_distinct(search, corners(search.space))
    _require_distinct(search, search.points)


def _bounded(search: HyperparameterSearch) -> list[tuple[str, int | None, int]]:
    """Return the whole-number options, each with its largest value."""
    counts = {"trials": search.trials, "concurrent": search.concurrent, "workers": search.workers}
    return [*((name, value, _MOST_TRIALS) for name, value in counts.items()), ("seed", search.seed, _LARGEST_SEED)]


def _require_distinct(search: HyperparameterSearch, points: Iterable[Point]) -> None:
    """Refuse invalid points, and points that are equal trainings: 0.001 and "1e-3", or two names of one dataset."""
    points_by_config: dict[str, Point] = {}
    for point in points:
        config = json.dumps(search.config_at(point).to_mapping(), sort_keys=True)
        other = points_by_config.setdefault(config, point)
        field = next((name for name in point if _differ(point[name], other[name])), None)
        if field is not None:
            raise InvalidInput(
                f"{field}: {shown(other[field])} and {shown(point[field])} give the same training, which would run "
                "twice: remove one of them from the space.",
                field,
            )


def _differ(value: Any, other: Any) -> bool:
    return type(value) is not type(other) or bool(value != other)


def ranked(trials: list[Trial]) -> list[Trial]:
    """Return the trials by score, the best first; those without a score come last."""
    return sorted(trials, key=lambda trial: (trial.score is None, -(trial.score or 0.0), trial.name))


def is_cut_off(search: HyperparameterSearch, trials: Sequence[Trial]) -> bool:
    """Return whether a search ended before all of its trials."""
    return len(trials) < search.draws or any(trial.state == "unfinished" for trial in trials)


def best_of(trials: list[Trial]) -> Trial:
    """Return the trial with the best score.

    Raises:
        InvalidInput: no trial has a score; the message has the reason of the first failure.
    """
    best = next(iter(ranked(trials)), None)
    if best is None or best.score is None:
        reason = next((trial.reason for trial in trials if trial.reason), "none was validated")
        raise InvalidInput(f"None of the {len(trials)} trials has a score: {reason}", "search")
    return best


def corners(space: Space) -> Iterator[Point]:
    """Yield points that together contain each value of a choice and both ends of each range."""
    first = {dimension.field: dimension.values[0] for dimension in space.dimensions}
    for dimension in space.dimensions:
        for value in dimension.values:
            yield {**first, dimension.field: value}
