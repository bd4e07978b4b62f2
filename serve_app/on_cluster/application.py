"""Deploys the application to a cluster that runs, says where its API answers, and removes what was deployed.

    python -m serve_app.on_cluster.application

removes what the platform in `UNDERTONE_HOME` has left on a cluster, as `undertone down` does after a kill.
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
from serve_app.on_cluster.standing import APPLICATION, Standing, StandingApp, in_the_way, refusal, versions_of
from serve_app.rollout.cluster.serve_internals import serve_details
from serve_app.supervisor.state import PlatformPaths

logger = logging.getLogger(__name__)

#: For a deployment that was just asked for to appear in what Serve says of its application.
_SETTLE_S: Final = 15.0
_GONE_S: Final = 60.0
_LOOK_S: Final = 0.3
_HEAD: Final = "node:__internal_head__"
_ANSWERING: Final = ("HEALTHY", "DRAINING")
_ANY_HOST: Final = "0.0.0.0"  # noqa: S104 - on a cluster the API asks for a key


def standing_serve() -> Standing | None:
    """Return what Serve runs on the cluster and where its proxies listen; None where it has not started."""
    found = serve_details()
    if found is None:
        return None
    details, host, port = found
    healthy = {proxy["node_ip"] for proxy in details["proxies"].values() if proxy["status"] in _ANSWERING}
    heads = {node["NodeManagerAddress"] for node in ray.nodes() if _HEAD in node["Resources"]}
    ips = sorted(healthy, key=lambda ip: (ip not in heads, ip))
    return Standing(host, port, tuple(ips), tuple(map(StandingApp.read, details["applications"].values())))


def node_ips() -> set[str]:
    """Return the addresses of the cluster's living nodes."""
    return {node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}


def own_ips() -> set[str]:
    """Return the addresses of this machine."""
    found = {address.address.partition("%")[0] for each in psutil.net_if_addrs().values() for address in each}
    return found | set(LOOPBACK)


def join(address: str, environment: dict[str, str]) -> None:
    """Connect this process to the cluster; what it deploys sees `environment`, which Ray shows to everybody.

    Raises:
        InvalidSettings: this is no address of a cluster's node.
        PlatformError: the cluster does not answer, or refuses us.
    """
    if ("://" in address and not address.startswith("ray://")) or address == "local":
        raise InvalidSettings(
            f"--address {address} is no address of a cluster that runs: give the head's HOST:6379 on one of its nodes, "
            "or ray://HOST:10001; http://HOST:8265 is its dashboard's, which takes jobs",
            "UNDERTONE_ADDRESS",
        )
    try:
        ray.init(address=address, log_to_driver=False, runtime_env={"env_vars": environment})
    except (ConnectionError, RuntimeError, ValueError, RayError) as exc:
        reason = str(exc).strip().partition("\n")[0]
        raise PlatformError(
            f"there is no Ray cluster to join at {address}: {reason}. On a machine that is one of its "
            "nodes give the head's HOST:6379, on others ray://HOST:10001; and its token as RAY_AUTH_TOKEN"
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
        """Check that it may be deployed, start Serve if need be, and remember in home what is about to be done.

        Raises:
            InvalidSettings: another's application stands there, or the cluster cannot reach what the settings name.
        """
        standing, before = standing_serve(), read_record(places.cluster)
        instances = {instance, *(before.instances if before else ())}
        if told := refusal(standing, instances, settings, replace=replace):
            raise InvalidSettings(told, "UNDERTONE_ADDRESS")
        refuse_unreachable_registry(settings)
        started = standing is None or bool(before and before.started_serve)
        earlier = next((each for each in sorted(instances - {instance}) if standing and standing.is_of(each)), "")
        record = ClusterRecord(address=str(settings.address), instance=instance, earlier=earlier, started_serve=started)
        record.write(places.cluster)
        if standing is None:
            serve.start(http_options={"host": listening_host(settings), "port": settings.port})
        else:
            remove_apps([app.name for app in in_the_way(standing, instances)])
        return cls(settings, places, record)

    def refresh(self) -> None:
        """Write down where the API is to be asked for now; nodes come and go, and Serve's controller may be away."""
        try:
            standing = standing_serve()
        except Exception as exc:  # noqa: BLE001 - whatever it is, the application must outlive it
            logger.warning("Serve does not say how it is: %s", exc)
            return
        apis = standing.apis(own_ips()) if standing else ()
        if apis and apis != self.record.apis:
            self.record = self.record.model_copy(update={"apis": apis})
            self.record.write(self.places.cluster)

    def remove(self) -> None:
        """End the application, if it still is this platform's, its versions, and Serve if it was started for them.

        Raises:
            TimeoutError: Serve did not end them in a minute.
        """
        standing = settled_serve()
        if standing and any(map(standing.is_of, self.record.instances)):
            remove_apps([APPLICATION, *versions_of(standing)])
            remove_apps(versions_of(standing_serve() or standing))  # one may have been started meanwhile
        left = standing_serve()
        if left and not left.apps and self.record.started_serve:
            serve.shutdown()
        self.places.cluster.unlink(missing_ok=True)


def settled_serve() -> Standing | None:
    """Return what Serve runs, once it can say whose the application is: one that was just deployed has no parts yet."""
    until = time.monotonic() + _SETTLE_S
    while (standing := standing_serve()) and (app := standing.app(APPLICATION)) and time.monotonic() < until:
        if app.instance is not None or app.is_declared:
            break
        time.sleep(_LOOK_S)
    return standing


def remove_apps(names: Collection[str]) -> None:
    """End applications, the platform's first: it answers what is in flight, and then nobody starts versions again.

    Raises:
        TimeoutError: Serve did not end them in a minute each.
    """
    if APPLICATION in names:
        logger.info("ending the application %s", APPLICATION)
        serve.delete(APPLICATION)
    others = set(names) - {APPLICATION}
    for name in sorted(others):
        logger.info("ending the application %s", name)
        serve.delete(name, _blocking=False)  # each drains for half a minute: all at once
    _wait_until_gone(others)


def _wait_until_gone(names: Collection[str]) -> None:
    until = time.monotonic() + _GONE_S
    while (standing := standing_serve()) and any(standing.app(name) for name in names):
        if time.monotonic() > until:
            raise TimeoutError(f"Serve has not ended {', '.join(sorted(names))} in {_GONE_S:.0f} s")
        time.sleep(_LOOK_S)


def environment_on(settings: Settings) -> dict[str, str]:
    """Return what the application's processes see of the settings; a registry of this machine is named to them."""
    known = settings if settings.tracking_uri else settings.model_copy(update={"tracking_uri": settings.registry_uri})
    return cluster_environment(known)


def refuse_unreachable_registry(settings: Settings) -> None:
    """Raise InvalidSettings if no registry is named and the cluster has nodes that do not reach this machine's own."""
    others = sorted(node_ips() - own_ips())
    if settings.tracking_uri is None and others:
        raise InvalidSettings(
            f"UNDERTONE_TRACKING_URI is not set, and the cluster's nodes {', '.join(others)} do not reach the MLflow "
            "server that listens on this machine only: name one that all nodes reach.",
            "UNDERTONE_TRACKING_URI",
        )


def listening_host(settings: Settings) -> str:
    """Return where the API of a cluster is to listen: as asked for, or beyond loopback where nodes are elsewhere."""
    return _ANY_HOST if settings.on_loopback and node_ips() - own_ips() else settings.host


def main() -> int:
    """Remove what home's record names; return the exit status."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    places = PlatformPaths(load_settings().home)
    record = read_record(places.cluster)
    if record is None:
        return 0
    return removed(record, places)


def removed(record: ClusterRecord, places: PlatformPaths, joining: Callable[[str, dict[str, str]], None] = join) -> int:
    """Join the record's cluster and remove what it names; return the exit status, the reason being logged."""
    try:
        joining(record.address, {})
        ClusterApplication(load_settings(), places, record).remove()
    except (UndertoneError, TimeoutError) as exc:
        logger.error("%s", exc)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
