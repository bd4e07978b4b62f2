"""Where a search keeps what it needs to be taken up, and the record of what it is, which must be the same then."""

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
    """Return the folder or `s3://` address under which a search keeps what it needs to be taken up."""
    return search.storage or str(settings.home / "tune")


def trainings_of(search: HyperparameterSearch, settings: Settings) -> str:
    """Return where the trials keep their checkpoints."""
    return f"{storage_root(search, settings)}/{search.name}-trainings"


def location_of(search: HyperparameterSearch, settings: Settings) -> Location:
    """Return the place of a search's own records."""
    return place_at(storage_root(search, settings), settings.s3_endpoint)


def claim(search: HyperparameterSearch, settings: Settings) -> None:
    """Write down what a search of this name is.

    Raises:
        InvalidInput: a search of that name was another one.
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
            f"A search named {search.name!r} was another one: {differing}. Give this one another --name.", "name"
        )


def _differences(stored: Mapping[str, Any], identity: Mapping[str, Any]) -> Iterator[str]:
    """Yield what differs between two searches, the fields that their trials share by their own names."""
    before, now = ({**plain, **plain["base"], "base": None} for plain in (stored, identity))
    for part in sorted(before.keys() | now.keys()):
        if before.get(part) != now.get(part):
            yield f"{part} was {shown(before.get(part))}, now {shown(now.get(part))}"
