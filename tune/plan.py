"""What a search is told, checked before anything runs."""

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
    """A search: the configuration that all trials share, what varies, how it is searched, and with what.

    `grid` goes through every point, or `trials` of them that are drawn; `random` draws `trials` points; `asha` draws
    them, too, and gives a trial up whose score is not in the upper third when it is judged, after 1, 3, 9 … validations
    (Li et al. 2020, "A system for massively parallel hyperparameter tuning"); `optuna` lets a model of the scores so
    far choose (TPE). No point is tried twice. A trial is a training of `workers`; `concurrent` of them run at a time.
    A search of the same name is taken up where it was.
    """

    name: str
    base: Mapping[str, Any]
    space: Space
    method: Method = "random"
    trials: int | None = None
    concurrent: int = 1
    workers: int = 1
    gpus_per_worker: float = 0
    seed: int = 42
    storage: str | None = None

    @property
    def draws(self) -> int:
        """How many trials there will be: a space that has an end has no more than its points."""
        size = self.space.size
        requested = self.trials or (size if self.method == "grid" and size else _TRIALS)
        return requested if size is None else min(requested, size)

    @property
    def points(self) -> list[Point]:
        """What its trials try, in their order; empty for `optuna`, which chooses while it runs.

        Raises:
            InvalidInput: the space has not as many points, or a grid no end of them.
        """
        if self.method == "optuna":
            return []
        draw = grid_points if self.method == "grid" else random_points
        return draw(self.space, self.draws, self.seed)

    @property
    def trains_in_process(self) -> bool:
        """Whether a trial trains in its own process, which then does the next one; more workers are Ray Train's."""
        return self.workers == 1 and not self.gpus_per_worker

    def identity(self) -> dict[str, Any]:
        """Return what must be equal for a search to be taken up."""
        space = {dimension.field: [dimension.kind, *dimension.values] for dimension in self.space.dimensions}
        plain = {"base": dict(self.base), "space": space, "method": self.method, "seed": self.seed}
        return {**plain, "trials": self.draws, "workers": self.workers}

    def config_at(self, point: Point) -> TrainConfig:
        """Return the configuration of a trial. Raises InvalidInput, naming the field."""
        return from_mapping(configured(self.base, point))


@dataclass(frozen=True)
class Trial:
    """What became of a trial: its point, its best score (the monitored figure, a loss negated), the figures with it.

    `state` is "finished", "stopped" (given up early), "failed", then with the reason, or "unfinished" where the search
    was ended before it.
    """

    name: str
    point: Point
    state: State
    score: float | None
    validations: int
    seconds: float
    figures: Mapping[str, float] = field(default_factory=dict)
    reason: str | None = None


def default_method(space: Space, trials: int | None) -> Method:
    """Return how a space is searched unless it is said: a grid where it has choices only and `trials` hold them all."""
    is_grid = space.has_choices_only and (trials is None or (space.size or 0) <= trials)
    return "grid" if is_grid else "random"


def check(search: HyperparameterSearch) -> None:
    """Refuse a search that could not run, or would run a trial twice.

    Raises:
        InvalidInput: naming the field of the space or the option that is wrong.
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
            f"The grid has {search.draws} points, and a search has {_MOST_TRIALS} trials at most: with --trials 100, "
            "a hundred of them are drawn.",
            "trials",
        )
    if not search.base.get("data"):
        raise InvalidInput("Say what is trained on: --data tweets@3.", "data")
    _require_distinct(search, corners(search.space))
    _require_distinct(search, search.points)


def _bounded(search: HyperparameterSearch) -> list[tuple[str, int | None, int]]:
    """Return the whole numbers among the options, each with the most that it may be."""
    counts = {"trials": search.trials, "concurrent": search.concurrent, "workers": search.workers}
    return [*((name, value, _MOST_TRIALS) for name, value in counts.items()), ("seed", search.seed, _LARGEST_SEED)]


def _require_distinct(search: HyperparameterSearch, points: Iterable[Point]) -> None:
    """Refuse points that are no configuration, or two that are the same one: 0.001 and "1e-3", two names of data."""
    points_by_config: dict[str, Point] = {}
    for point in points:
        config = json.dumps(search.config_at(point).to_mapping(), sort_keys=True)
        other = points_by_config.setdefault(config, point)
        field = next((name for name in point if _differ(point[name], other[name])), None)
        if field is not None:
            raise InvalidInput(
                f"{field}: {shown(other[field])} and {shown(point[field])} are the same training, which would run "
                "twice; take one of them out of the space.",
                field,
            )


def _differ(value: Any, other: Any) -> bool:
    return type(value) is not type(other) or bool(value != other)


def ranked(trials: list[Trial]) -> list[Trial]:
    """Return the trials, the best score first, those without one last."""
    return sorted(trials, key=lambda trial: (trial.score is None, -(trial.score or 0.0), trial.name))


def is_cut_off(search: HyperparameterSearch, trials: Sequence[Trial]) -> bool:
    """Say whether a search ended before all of its trials had."""
    return len(trials) < search.draws or any(trial.state == "unfinished" for trial in trials)


def best_of(trials: list[Trial]) -> Trial:
    """Return the trial of the best score.

    Raises:
        InvalidInput: none has one; says why the first has not.
    """
    best = next(iter(ranked(trials)), None)
    if best is None or best.score is None:
        reason = next((trial.reason for trial in trials if trial.reason), "none was validated")
        raise InvalidInput(f"No trial of {len(trials)} came to a score: {reason}", "search")
    return best


def corners(space: Space) -> Iterator[Point]:
    """Yield points in which each value of a choice, and each end of a range, stands once."""
    first = {dimension.field: dimension.values[0] for dimension in space.dimensions}
    for dimension in space.dimensions:
        for value in dimension.values:
            yield {**first, dimension.field: value}
