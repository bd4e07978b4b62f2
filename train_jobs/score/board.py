"""Which shard each scoring worker is at, kept outside of it: a worker that is killed can tell no one."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import Any


class Board:
    """Rows that are being scored, by their shard; lives in a process of its own as an actor of Ray's."""

    def __init__(self) -> None:
        self._rows: dict[str, str] = {}
        self._begun: Counter[str] = Counter()

    def begin(self, shard: str, rows: str) -> int:
        """Note that a shard is begun, and return how often it was: more than once where its worker died over it."""
        self._rows[shard] = rows
        self._begun[shard] += 1
        return self._begun[shard]

    def end(self, shard: str) -> None:
        """Note that a shard is done."""
        self._rows.pop(shard, None)
        self._begun.pop(shard, None)

    def under_way(self) -> list[str]:
        """Return the rows that were begun and have not ended."""
        return list(self._rows.values())


def open_board() -> Any:
    """Start a board on the cluster; Ray must run."""
    import ray

    return ray.remote(num_cpus=0)(Board).remote()


def begin(board: Any, shard: str, rows: str) -> int:
    """Note that a shard is begun and return how often it was; 1 where the board is gone: no reason to stop scoring."""
    import ray
    from ray.exceptions import RayError

    try:
        begun: int = ray.get(board.begin.remote(shard, rows))
    except RayError:
        return 1
    return begun


def end(board: Any, shard: str) -> None:
    """Note that a shard is done, if the board is still there."""
    import ray
    from ray.exceptions import RayError

    with contextlib.suppress(RayError):
        ray.get(board.end.remote(shard))


def rows_under_way(board: Any) -> list[str]:
    """Return what workers are at, nothing where the board is gone."""
    import ray
    from ray.exceptions import RayError

    try:
        rows: list[str] = ray.get(board.under_way.remote(), timeout=5)
    except RayError:  # a timeout is one
        return []
    return rows
