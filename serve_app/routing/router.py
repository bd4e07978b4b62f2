"""Which version answers a text: the one asked for, one of a fixed split, a side of a rollout, or a drawn one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from sentiment.errors import InvalidInput, NotFound
from serve_app.routing.traffic_table import Route, TrafficTable

_POINT_BYTES: Final = 6


@dataclass(frozen=True, slots=True)
class Preference:
    """What a request says of who shall answer: `version` pins it, `split` and `key` (an API key's id) may steer it."""

    version: int | None = None
    split: str | None = None
    key: str | None = None


NO_PREFERENCE: Final = Preference()


def pinned_route(table: TrafficTable, version: int) -> Route:
    """Return the route of a version that a request asks for.

    Raises:
        NotFound: it is not loaded; the message names those that are.
    """
    route = table.of_version(version)
    if route is None:
        loaded = ", ".join(str(version) for version in sorted(route.version for route in table.routes))
        raise NotFound(f"model: version {version} is not loaded; ask for one of {loaded}, or leave it out", "model")
    return route


def steer(table: TrafficTable, preference: Preference, author: str | None) -> Route | None:
    """Return the route that answers a text of `author`, None where one is yet to be drawn by weight.

    Raises:
        NotFound: the version that the request pins is not loaded.
        InvalidInput: the split that is in force has not the request's value.
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
    """Return whether the traffic's shares decide who answers: neither a pin does nor the fixed split."""
    return preference.version is None and (not table.split or _side_of_split(table, preference) is None)


def _side_of_split(table: TrafficTable, preference: Preference) -> Route | None:
    if preference.split is not None and preference.split not in table.split:
        values = ", ".join(sorted(table.split))
        raise InvalidInput(f"X-Undertone-Split: is one of {values}, or left out", "X-Undertone-Split")
    value = preference.split if preference.split is not None else preference.key
    version = None if value is None else table.split.get(value)
    return None if version is None else table.of_version(version)


def _point(table: TrafficTable, identity: str) -> float:
    """Return the identity's place in [0, 1): the same through one rollout, another one in the next."""
    named = f"{table.rollout}\0{identity}".encode(errors="replace")
    digest = hashlib.blake2b(named, digest_size=_POINT_BYTES).digest()
    return int.from_bytes(digest) / 256**_POINT_BYTES
