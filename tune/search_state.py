"""The stored state of a search: its location, and its identity, which must be the same when it is resumed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sentiment.errors import InvalidInput
from sentiment.settings import Settings
from sentiment.validation_messages import shown
from train_jobs.runtime.locations import Location, place_at
from tune.plan import HyperparameterSearch


def storage_root(search: HyperparameterSearch, settings: Settings) -> str:
    """Return the folder or `s3://` address of a search's state."""
    return search.storage or str(settings.home / "tune")


def trainings_of(search: HyperparameterSearch, settings: Settings) -> str:
    """Return the folder or address of the trials' checkpoints."""
    return f"{storage_root(search, settings)}/{search.name}-trainings"


def location_of(search: HyperparameterSearch, settings: Settings) -> Location:
    """Return the location of a search's own records."""
    return place_at(storage_root(search, settings), settings.s3_endpoint)


def claim(search: HyperparameterSearch, settings: Settings) -> None:
    """Store the identity of a search, or compare it with the stored one.

    Raises:
        InvalidInput: an earlier search of that name was a different one.
        Unavailable: its storage cannot be read or written.
    """
    place, name = location_of(search, settings), f"{search.name}.json"
    identity = json.loads(json.dumps(search.identity()))
    content = place.read(name)
    if content is None:
        place.write(name, json.dumps(identity, indent=2).encode() + b"\n")
        return
    stored = json.loads(content)
    differing = "; ".join(_differences(stored, identity))
    if differing:
        raise InvalidInput(
            f"An earlier search named {search.name!r} was a different one: {differing}. Give this one another --name.",
            "name",
        )


def _differences(stored: Mapping[str, Any], identity: Mapping[str, Any]) -> Iterator[str]:
    """Yield each difference between two searches; fields that all trials share are compared one by one."""
    before, now = ({**plain, **plain["base"], "base": None} for plain in (stored, identity))
    for part in sorted(before.keys() | now.keys()):
        if before.get(part) != now.get(part):
            yield f"{part} was {shown(before.get(part))}, now {shown(now.get(part))}"
