"""A record of the shards that are being scored, kept outside of the workers: a killed worker cannot report."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import Any


class Board:
    """The rows that are being scored, by shard; runs as a Ray actor."""

    def __init__(self) -> None:
        self._rows: dict[str, str] = {}
        self._begun: Counter[str] = Counter()

    def begin(self, shard: str, rows: str) -> int:
        """Record the start of a shard; return how often it was started: more than once if its worker died."""
        self._rows[shard] = rows
        self._begun[shard] += 1
        return self._begun[shard]

    def end(self, shard: str) -> None:
        """Record the end of a shard."""
        self._rows.pop(shard, None)
        self._begun.pop(shard, None)

    def under_way(self) -> list[str]:
        """Return the rows that have been started and not ended."""
        return list(self._rows.values())


def open_board() -> Any:
    """Start a board on the cluster; Ray must run."""
    import ray

    return ray.remote(num_cpus=0)(Board).remote()


def begin(board: Any, shard: str, rows: str) -> int:
    """Record the start of a shard; return how often it was started, or 1 if the board is gone."""
    import ray
    from ray.exceptions import RayError

    try:
        begun: int = ray.get(board.begin.remote(shard, rows))
    except RayError:
        return 1
    return begun


def end(board: Any, shard: str) -> None:
    """Record the end of a shard, if the board is still there."""
    import ray
    from ray.exceptions import RayError

    with contextlib.suppress(RayError):
        ray.get(board.end.remote(shard))


def rows_under_way(board: Any) -> list[str]:
    """Return the rows that are being scored; none if the board is gone."""
    import ray
    from ray.exceptions import RayError

    try:
        rows: list[str] = ray.get(board.under_way.remote(), timeout=5)
    except RayError:  # a timeout is one
        return []
    return rows
