"""Optuna's choice of points by a model of the scores so far (TPE), without repetitions."""

from __future__ import annotations

from itertools import count
from typing import Any, Final

from ray.tune.search.optuna import OptunaSearch

from tune.points import random_points
from tune.space import Point, Space

_ATTEMPTS: Final = 10


class DistinctOptuna(OptunaSearch):
    """Asks Optuna again if it repeats a point, and draws one at random after several repetitions.

    A confident model chooses the best of a few choices again and again. There must be no more trials than points.
    """

    def __init__(self, space: Space, seed: int) -> None:
        super().__init__(seed=seed)
        self._dimensions = space.dimensions
        self._tried = set[tuple[Any, ...]]()

    def suggest(self, trial_id: str) -> Point:
        """Return the point of a trial; no other trial has it."""
        for attempt in range(_ATTEMPTS):
            if (point := self._attempted(trial_id, f"{trial_id}-{attempt}")) is not None:
                return point
        space = Space(self._dimensions, {})
        drawn = (random_points(space, 1, seed)[0] for seed in count())
        self._ot_study.enqueue_trial(next(point for point in drawn if self._key(point) not in self._tried))
        point = self._attempted(trial_id, f"{trial_id}-drawn")
        assert point is not None, "Optuna did not use the enqueued point"  # noqa: S101
        return point

    def _attempted(self, trial_id: str, attempt: str) -> Point | None:
        """Return Optuna's choice and register it for the trial; None if it was tried before."""
        point: Point = super().suggest(attempt)
        if (key := self._key(point)) in self._tried:
            self.on_trial_complete(attempt, error=True)
            del self._ot_trials[attempt]
            return None
        self._tried.add(key)
        self._ot_trials[trial_id] = self._ot_trials.pop(attempt)
        return point

    def _key(self, point: Point) -> tuple[Any, ...]:
        return tuple(point[dimension.field] for dimension in self._dimensions)
