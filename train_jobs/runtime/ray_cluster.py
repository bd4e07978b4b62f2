"""Connections to Ray: join a running cluster from one of its nodes or from a job on it, or start Ray here."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sentiment.errors import Unavailable


def join(address: str, variables: Mapping[str, str] | None = None) -> None:
    """Connect this process to the Ray cluster at `address`, as `ray.init` takes one: HOST:6379, or auto.

    Workers get the environment `variables`; everybody who may open the cluster's dashboard can read them.

    Raises:
        Unavailable: there is no cluster at that address, or it refuses us; the message says what to give.
    """
    import ray
    from ray.exceptions import RayError  # a wrong token is one

    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, runtime_env=_runtime_env(variables))
    except (ConnectionError, RuntimeError, ValueError, RayError) as exc:
        reason = str(exc).strip().partition("\n")[0]
        raise Unavailable(
            f"there is no Ray cluster to join at {address}: {reason}. On a node of the cluster, give HOST:6379 "
            "(RAY_ADDRESS, UNDERTONE_ADDRESS); from elsewhere, submit a job by the dashboard's address: --address "
            "http://HOST:8265"
        ) from exc


@contextmanager
def ray_at(address: str | None, variables: Mapping[str, str] | None = None, **own: Any) -> Iterator[None]:
    """Join the cluster at `address`, or start Ray here with the options `own`, while the block runs.

    If this process is connected to Ray already, that is used and left running. Workers get the environment `variables`,
    and on a cluster its address: Ray's own clean-up process after a training fails where two Rays run on one machine.

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
    """Return the variable that names the cluster to workers; none for `auto`, which is no address."""
    return {"RAY_ADDRESS": address} if ":" in address else {}


def note_room(training: str) -> None:
    """Store in the cluster which placement group this worker of a training is in, for `give_room_back`."""
    import ray
    from ray.experimental.internal_kv import _internal_kv_put

    if group := ray.util.get_current_placement_group():
        _internal_kv_put(_room_of(training), group.id.binary())


def give_room_back(training: str) -> bool:
    """Remove the placement group of a training's workers; return whether there was one.

    Ray Train does this itself unless its controller ends together with its trial. Ray's clean-up process for that case
    finds no address if two Rays run on one machine, and no API if Ray has no dashboard.
    """
    import ray
    from ray.experimental.internal_kv import _internal_kv_del, _internal_kv_get
    from ray.util.placement_group import PlacementGroup, remove_placement_group

    group_id = _internal_kv_get(_room_of(training))
    if group_id is None:
        return False
    remove_placement_group(PlacementGroup(ray.PlacementGroupID(group_id)))
    _internal_kv_del(_room_of(training))
    return True


def _room_of(training: str) -> bytes:
    return f"undertone:room:{training}".encode()
