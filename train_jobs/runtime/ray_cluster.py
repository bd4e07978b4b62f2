"""Ray at hand: a cluster that runs, joined from one of its nodes or from a job of its own, or one started here."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sentiment.errors import Unavailable


def join(address: str, variables: Mapping[str, str] | None = None) -> None:
    """Connect this process to the Ray cluster at `address`, as `ray.init` takes one: HOST:6379, auto.

    Its workers have these environment `variables`, which all see who may look at the cluster's dashboard.

    Raises:
        Unavailable: it does not answer, refuses us, or this is no such address; the message says what to give.
    """
    import ray
    from ray.exceptions import RayError  # a wrong token is one

    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, runtime_env=_runtime_env(variables))
    except (ConnectionError, RuntimeError, ValueError, RayError) as exc:
        reason = str(exc).strip().partition("\n")[0]
        raise Unavailable(
            f"there is no Ray cluster to join at {address}: {reason}. A node's own address is HOST:6379 (RAY_ADDRESS, "
            "UNDERTONE_ADDRESS); with its dashboard's, http://HOST:8265, undertone's commands submit a job: --address"
        ) from exc


@contextmanager
def ray_at(address: str | None, variables: Mapping[str, str] | None = None, **own: Any) -> Iterator[None]:
    """Join the cluster at `address`, or without one start Ray here with these options, while the block runs.

    Workers have the environment `variables`, those of a cluster its address, too: what Ray starts to clean up after a
    training looks for the Ray to ask, and dies where two run on a machine. Ray that was started before is used, and
    left as it is.

    Raises:
        Unavailable: there is no cluster at that address.
    """
    import ray

    if ray.is_initialized():
        yield
        return
    if address:
        join(address, {**variables, **_address_for(address)} if variables else None)
    else:
        runtime_env = _runtime_env(variables)
        ray.init(address="local", log_to_driver=False, logging_level=logging.ERROR, runtime_env=runtime_env, **own)
    try:
        yield
    finally:
        ray.shutdown()


def _runtime_env(variables: Mapping[str, str] | None) -> dict[str, Any] | None:
    return {"env_vars": dict(variables)} if variables else None


def _address_for(address: str) -> dict[str, str]:
    """Return the variable that tells workers their own Ray, where the address is one: `auto` finds any."""
    return {"RAY_ADDRESS": address} if ":" in address else {}


def note_room(training: str) -> None:
    """Remember in the cluster which placement group this worker of a training is in, for `give_room_back`."""
    import ray
    from ray.experimental.internal_kv import _internal_kv_put

    if group := ray.util.get_current_placement_group():
        _internal_kv_put(_room_of(training), group.id.binary())


def give_room_back(training: str) -> bool:
    """Remove the placement group that a training's workers noted, and say whether there was one.

    Ray Train does so itself, unless its controller is ended with the trial that it is a part of: the process that Ray
    leaves behind for that finds no address where two Rays run on a machine, nor an API where Ray has no dashboard.
    """
    import ray
    from ray.experimental.internal_kv import _internal_kv_del, _internal_kv_get
    from ray.util.placement_group import PlacementGroup, remove_placement_group

    found = _internal_kv_get(_room_of(training))
    if found is None:
        return False
    remove_placement_group(PlacementGroup(ray.PlacementGroupID(found)))
    _internal_kv_del(_room_of(training))
    return True


def _room_of(training: str) -> bytes:
    return f"undertone:room:{training}".encode()
