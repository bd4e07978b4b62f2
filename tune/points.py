"""The points of a space that a search tries: all of a grid, or some drawn by a seed, none of them twice."""

from __future__ import annotations

import math
from random import Random
from typing import Any, Final

from sentiment.errors import InvalidInput
from tune.space import Dimension, Point, Space

_SAMPLED: Final = 100_000  # up to so many points are drawn from a list of them
_ATTEMPTS: Final = 100  # draws for each point that is wanted


def grid_points(space: Space, count: int, seed: int) -> list[Point]:
    """Return all points of a finite space in order; if it has more than `count`, that many drawn by `seed`.

    Raises:
        InvalidInput: a dimension is infinite.
    """
    size = space.require_size()
    numbers = sorted(_drawn(size, count, Random(seed))) if count < size else range(size)
    return [space.point(number) for number in numbers]


def random_points(space: Space, count: int, seed: int) -> list[Point]:
    """Return `count` different points drawn by `seed`; fewer if the space has fewer.

    Raises:
        InvalidInput: the ranges are too narrow for so many different points.
    """
    random = Random(seed)
    if space.size is not None:
        return [space.point(number) for number in _drawn(space.size, min(count, space.size), random)]
    points: dict[tuple[Any, ...], Point] = {}
    for _ in range(_ATTEMPTS * count):
        point = {dimension.field: _value(dimension, random) for dimension in space.dimensions}
        points.setdefault(tuple(point.values()), point)
        if len(points) == count:
            return list(points.values())
    raise InvalidInput(
        f"--trials is {count}, but the space has hardly more than {len(points)} different points: lower --trials, or "
        "widen its ranges.",
        "trials",
    )


def _drawn(size: int, count: int, random: Random) -> list[int]:
    if size <= _SAMPLED:
        return random.sample(range(size), count)
    numbers: dict[int, None] = {}  # in the order drawn
    while len(numbers) < count:
        numbers[random.randrange(size)] = None
    return list(numbers)


def _value(dimension: Dimension, random: Random) -> Any:
    if dimension.kind == "choice":
        return random.choice(dimension.values)
    if dimension.kind == "int":
        return random.randint(dimension.low, dimension.high)
    if dimension.kind == "uniform":
        return random.uniform(dimension.low, dimension.high)
    logarithm = random.uniform(math.log(dimension.low), math.log(dimension.high))
    return min(max(math.exp(logarithm), dimension.low), dimension.high)  # rounding may lead out of the range
