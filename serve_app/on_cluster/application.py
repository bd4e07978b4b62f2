"""Deploys the application to a running cluster, finds the addresses of its API, and removes what was deployed.

    python -m serve_app.on_cluster.application

removes what the platform in `UNDERTONE_HOME` has left on a cluster; `undertone down` runs it after a kill.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

import psutil
import ray
from ray import serve
from ray.exceptions import RayError  # a wrong token is one

from sentiment.environment import cluster_environment
from sentiment.errors import InvalidSettings, PlatformError, UndertoneError
from sentiment.settings import LOOPBACK, Settings, load_settings
from serve_app.on_cluster.record import ClusterRecord, read_record
from serve_app.on_cluster.standing import APPLICATION, RunningApp, RunningServe, conflicting_apps, refusal, versions_of
from serve_app.rollout.cluster.serve_internals import serve_details
from serve_app.supervisor.state import PlatformPaths

logger = logging.getLogger(__name__)

#: Most seconds until Serve's details show a deployment that has just been deployed.
_SETTLE_S: Final = 15.0
_GONE_S: Final = 60.0
_LOOK_S: Final = 0.3
_HEAD: Final = "node:__internal_head__"
_ANSWERING: Final = ("HEALTHY", "DRAINING")
_ANY_HOST: Final = "0.0.0.0"  # noqa: S104 - on a cluster the API asks for a key


def running_serve() -> RunningServe | None:
    """Return what Serve runs on the cluster and where its proxies listen; None where it has not started."""
    answer = serve_details()
    if answer is None:
        return None
    details, host, port = answer
    healthy = {proxy["node_ip"] for proxy in details["proxies"].values() if proxy["status"] in _ANSWERING}
    heads = {node["NodeManagerAddress"] for node in ray.nodes() if _HEAD in node["Resources"]}
    ips = sorted(healthy, key=lambda ip: (ip not in heads, ip))
    return RunningServe(host, port, tuple(ips), tuple(map(RunningApp.read, details["applications"].values())))


def node_ips() -> set[str]:
    """Return the addresses of the cluster's living nodes."""
    return {node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}


def own_ips() -> set[str]:
    """Return the addresses of this machine."""
    ips = {address.address.partition("%")[0] for each in psutil.net_if_addrs().values() for address in each}
    return ips | set(LOOPBACK)


def join(address: str, environment: dict[str, str]) -> None:
    """Connect this process to the cluster. What it deploys gets `environment`, which Ray shows to everybody.

    Raises:
        InvalidSettings: this is not the address of a Ray cluster.
        PlatformError: the cluster does not answer, or refuses the token.
    """
    if ("://" in address and not address.startswith("ray://")) or address == "local":
        raise InvalidSettings(
            f"--address {address} is not the address of a Ray cluster: give the head's HOST:6379 on one of its nodes, "
            "or ray://HOST:10001 from elsewhere; http://HOST:8265 is the dashboard, which takes jobs only",
            "UNDERTONE_ADDRESS",
        )
    try:
        ray.init(address=address, log_to_driver=False, runtime_env={"env_vars": environment})
    except (ConnectionError, RuntimeError, ValueError, RayError) as exc:
        reason = str(exc).strip().partition("\n")[0]
        raise PlatformError(
            f"no Ray cluster could be joined at {address}: {reason}. Give the head's HOST:6379 on one of its nodes, or "
            "ray://HOST:10001 from elsewhere, and its token as RAY_AUTH_TOKEN"
        ) from exc


@dataclass(eq=False)
class ClusterApplication:
    """One platform's application on the cluster that this process has joined."""

    settings: Settings
    places: PlatformPaths
    record: ClusterRecord

    @classmethod
    def to_deploy(
        cls, settings: Settings, places: PlatformPaths, instance: str, *, replace: bool
    ) -> ClusterApplication:
        """Check that it may be deployed, start Serve if necessary, and record in home what is about to be deployed.

        Raises:
            InvalidSettings: another application runs there, or the cluster cannot reach the registry.
        """
        running, before = running_serve(), read_record(places.cluster)
        instances = {instance, *(before.instances if before else ())}
        if reason := refusal(running, instances, settings, replace=replace):
            raise InvalidSettings(reason, "UNDERTONE_ADDRESS")
        refuse_unreachable_registry(settings)
        started = running is None or bool(before and before.started_serve)
        earlier = next((each for each in sorted(instances - {instance}) if running and running.is_of(each)), "")
        record = ClusterRecord(address=str(settings.address), instance=instance, earlier=earlier, started_serve=started)
        record.write(places.cluster)
        if running is None:
            serve.start(http_options={"host": listening_host(settings), "port": settings.port})
        else:
            remove_apps([app.name for app in conflicting_apps(running, instances)])
        return cls(settings, places, record)

    def refresh(self) -> None:
        """Record the present addresses of the API: nodes come and go, and Serve's controller may be away."""
        try:
            running = running_serve()
        except Exception as exc:  # noqa: BLE001 - whatever it is, the application must outlive it
            logger.warning("Serve does not report its state; trying again in a few seconds: %s", exc)
            return
        apis = running.apis(own_ips()) if running else ()
        if apis and apis != self.record.apis:
            self.record = self.record.model_copy(update={"apis": apis})
            self.record.write(self.places.cluster)

    def remove(self) -> None:
        """End the application and its versions if they are still this platform's, and Serve if it was started for them.

        Raises:
            TimeoutError: Serve did not end them within a minute.
        """
        running = settled_serve()
        if running and any(map(running.is_of, self.record.instances)):
            remove_apps([APPLICATION, *versions_of(running)])
            remove_apps(versions_of(running_serve() or running))  # another one may have started meanwhile
        remaining = running_serve()
        if remaining and not remaining.apps and self.record.started_serve:
            serve.shutdown()
        self.places.cluster.unlink(missing_ok=True)


def settled_serve() -> RunningServe | None:
    """Return what Serve runs, once the application's owner is known: one that was just deployed shows none yet."""
    until = time.monotonic() + _SETTLE_S
    while (running := running_serve()) and (app := running.app(APPLICATION)) and time.monotonic() < until:
        if app.instance is not None or app.is_declared:
            break
        time.sleep(_LOOK_S)
    return running


def remove_apps(names: Collection[str]) -> None:
    """End applications, the platform's first: it answers its requests, and its controller then starts no more versions.

    Raises:
        TimeoutError: Serve did not end them within a minute.
    """
    if APPLICATION in names:
        logger.info("ending the application %s", APPLICATION)
        serve.delete(APPLICATION)
    others = set(names) - {APPLICATION}
    for name in sorted(others):
        logger.info("ending the application %s", name)
        serve.delete(name, _blocking=False)  # not one by one: each drains for half a minute
    _wait_until_gone(others)


def _wait_until_gone(names: Collection[str]) -> None:
    until = time.monotonic() + _GONE_S
    while (running := running_serve()) and any(running.app(name) for name in names):
        if time.monotonic() > until:
            raise TimeoutError(f"Serve did not end {', '.join(sorted(names))} within {_GONE_S:.0f} s; try again")
        time.sleep(_LOOK_S)


def environment_on(settings: Settings) -> dict[str, str]:
    """Return the settings for the application's processes as variables; a registry of this machine is named in them."""
    registry = {} if settings.tracking_uri else {"tracking_uri": settings.registry_uri}
    return cluster_environment(settings.model_copy(update=registry))


def refuse_unreachable_registry(settings: Settings) -> None:
    """Raise InvalidSettings if no registry is named and other nodes of the cluster cannot reach this machine's."""
    others = sorted(node_ips() - own_ips())
    if settings.tracking_uri is None and others:
        raise InvalidSettings(
            f"UNDERTONE_TRACKING_URI is not set, and the cluster's nodes {', '.join(others)} cannot reach this "
            "machine's own MLflow server: set it to a server that all nodes reach.",
            "UNDERTONE_TRACKING_URI",
        )


def listening_host(settings: Settings) -> str:
    """Return the host that a cluster's API listens on: the settings', or all interfaces where nodes are elsewhere."""
    return _ANY_HOST if settings.on_loopback and node_ips() - own_ips() else settings.host


def main() -> int:
    """Remove what the record in home names; return the exit status."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    places = PlatformPaths(load_settings().home)
    record = read_record(places.cluster)
    if record is None:
        return 0
    return remove_recorded(record, places)


def remove_recorded(
    record: ClusterRecord, places: PlatformPaths, connect: Callable[[str, dict[str, str]], None] = join
) -> int:
    """Join the record's cluster and remove what it names; log a failure, and return the exit status."""
    try:
        connect(record.address, {})
        ClusterApplication(load_settings(), places, record).remove()
    except (UndertoneError, TimeoutError) as exc:
        logger.error("%s", exc)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
