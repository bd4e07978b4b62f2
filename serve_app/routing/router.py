"""Chooses the version that answers a text: a pinned one, one of the fixed split, a side of a rollout, or by weight."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from sentiment.errors import InvalidInput, NotFound
from serve_app.routing.traffic_table import Route, TrafficTable

_POINT_BYTES: Final = 6


@dataclass(frozen=True, slots=True)
class Preference:
    """What a request says about the version that is to answer."""

    version: int | None = None
    """The version that it pins."""
    split: str | None = None
    """The value of its header X-Undertone-Split."""
    key: str | None = None
    """The id of its API key."""


NO_PREFERENCE: Final = Preference()


def pinned_route(table: TrafficTable, version: int) -> Route:
    """Return the route of a version that a request pins.

    Raises:
        NotFound: it is not loaded; the message names the versions that are.
    """
    route = table.of_version(version)
    if route is None:
        loaded = ", ".join(str(version) for version in sorted(route.version for route in table.routes))
        raise NotFound(f"model: version {version} is not loaded; choose one of {loaded}, or leave model out", "model")
    return route


def steer(table: TrafficTable, preference: Preference, author: str | None) -> Route | None:
    """Return the route that answers a text of `author`; None where one is to be drawn by weight.

    Raises:
        NotFound: the version that the request pins is not loaded.
        InvalidInput: the fixed split lacks the request's value.
    """
    if preference.version is not None:
        return pinned_route(table, preference.version)
    if table.split and (route := _side_of_split(table, preference)) is not None:
        return route
    if len(table.routes) == 1:
        return table.routes[0]
    identity = {"none": None, "author": author, "key": preference.key}[table.sticky]
    return None if identity is None else table.choose(_point(table, identity))


def by_chance(table: TrafficTable, preference: Preference) -> bool:
    """Return whether the weights decide which version answers, rather than a pin or the fixed split."""
    return preference.version is None and (not table.split or _side_of_split(table, preference) is None)


def _side_of_split(table: TrafficTable, preference: Preference) -> Route | None:
    if preference.split is not None and preference.split not in table.split:
        values = ", ".join(sorted(table.split))
        reason = f"{preference.split[:100]!r} is not a value of the fixed split; send one of {values}, or leave it out"
        raise InvalidInput(f"X-Undertone-Split: {reason}", "X-Undertone-Split")
    value = preference.split if preference.split is not None else preference.key
    version = None if value is None else table.split.get(value)
    return None if version is None else table.of_version(version)


def _point(table: TrafficTable, identity: str) -> float:
    """Return the identity's point in [0, 1): the same throughout a rollout, another one in the next."""
    seed = f"{table.rollout}\0{identity}".encode(errors="replace")
    digest = hashlib.blake2b(seed, digest_size=_POINT_BYTES).digest()
    return int.from_bytes(digest) / 256**_POINT_BYTES
