"""What a search is told, checked before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from sentiment.errors import InvalidInput
from sentiment.training.config import TrainConfig, from_mapping
from tune.space import Point, Space, configured

Method = Literal["grid", "random", "asha", "optuna"]

METHODS: Final[tuple[Method, ...]] = get_args(Method)
_TRIALS: Final = 10


@dataclass(frozen=True)
class Search:
    """A search: the configuration that all trials share, what varies, how it is searched, and with what.

    `grid` goes through every point; `random` draws `trials` of them; `asha` draws them, too, and gives a trial up whose
    score is not in the upper third when it is judged, after 1, 3, 9 … validations (Li et al. 2020, "A system for
    massively parallel hyperparameter tuning"); `optuna` lets a model of the scores so far choose (TPE). A trial is a
    training of `workers`; `concurrent` of them run at a time. A search of the same name is taken up where it was.
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
        """How many trials there will be."""
        if self.method == "grid":
            return len(self.space.grid())
        return self.trials or _TRIALS

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

    `state` is "finished", "stopped" (given up early) or "failed", then with the reason.
    """

    name: str
    point: Point
    state: Literal["finished", "stopped", "failed"]
    score: float | None
    validations: int
    seconds: float
    figures: Mapping[str, float] = field(default_factory=dict)
    reason: str | None = None


def check(search: Search) -> None:
    """Refuse a search that could not run.

    Raises:
        InvalidInput: naming the field of the space or the option that is wrong.
    """
    if search.method not in METHODS:
        raise InvalidInput(f"--search must be one of {', '.join(METHODS)}, not {search.method!r}.", "search")
    if search.method == "grid" and search.trials is not None and search.trials < search.draws:
        raise InvalidInput(
            f"The grid has {search.draws} points, --trials allows {search.trials}; leave --trials out, or search at "
            "random.",
            "trials",
        )
    if not search.base.get("data"):
        raise InvalidInput("Say what is trained on: --data tweets@3.", "data")
    for point in corners(search.space):
        search.config_at(point)


def ranked(trials: list[Trial]) -> list[Trial]:
    """Return the trials, the best score first, those without one last."""
    return sorted(trials, key=lambda trial: (trial.score is None, -(trial.score or 0.0), trial.name))


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
