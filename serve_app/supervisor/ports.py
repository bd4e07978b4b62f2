"""The ports and addresses of a local platform, and checks that the ports can be used."""

from __future__ import annotations

import socket
from importlib.util import find_spec
from ipaddress import ip_address

import psutil

from sentiment.access.logins import without_login
from sentiment.errors import PlatformError
from sentiment.settings import Settings, spelling_of
from serve_app.supervisor.ingress.haproxy_config import LOOPBACK, installed_haproxy
from serve_app.supervisor.probe import Address
from serve_app.supervisor.process_specs import api_address, page_address
from serve_app.supervisor.processes import port_holder, port_is_free

_ANY_PORT = 0
_FAMILIES = {"0.0.0.0": (socket.AF_INET,), "::": (socket.AF_INET, socket.AF_INET6)}  # noqa: S104


def api_urls(api: Address) -> dict[str, str]:
    """Return the addresses of an API that a user opens, by name."""
    return {"API": api.url, "API documentation": f"{api.url}/docs"}


def addresses(settings: Settings) -> dict[str, str]:
    """Return the addresses that a user opens, by name. A cluster's API is added once Serve runs there."""
    urls = {} if settings.address else api_urls(api_address(settings))
    urls["MLflow"] = without_login(settings.registry_uri)
    if find_spec("gradio"):
        urls["Page"] = page_address(settings).url
    if settings.address is None:
        urls["Ray dashboard"] = Address(LOOPBACK, settings.dashboard_port).url
    return urls


def needed_ports(settings: Settings) -> dict[str, tuple[str, int]]:
    """Return the host and port that this platform will listen on, by the setting of the port."""
    ports = {}
    if settings.address is None:
        ports["port"] = (settings.host, settings.port)
        ports["dashboard_port"] = (LOOPBACK, settings.dashboard_port)
        ports["fallback_port"] = (LOOPBACK, settings.fallback_port)
    if find_spec("gradio"):
        ports["ui_port"] = (settings.ui_host, settings.ui_port)
    if settings.tracking_uri is None:
        ports["mlflow_port"] = (LOOPBACK, settings.mlflow_port)
    if settings.address is None and installed_haproxy():
        ports["haproxy_stats_port"] = (LOOPBACK, settings.haproxy_stats_port)
    return ports


def urls_from_elsewhere(host: str, port: int) -> list[str]:
    """Return the addresses at which other machines reach a port, if `host` is a wildcard address; else none."""
    interfaces = (address for interface in psutil.net_if_addrs().values() for address in interface)
    hosts = {a.address for a in interfaces if a.family in _FAMILIES.get(host, ()) and _is_reachable(a.address)}
    return [Address(name, port).url for name in sorted(hosts)]


def refuse_unusable_ports(settings: Settings) -> None:
    """Check that all ports differ, are free, and that the hosts are addresses of this machine.

    Raises:
        PlatformError: a check failed; the message names the host or port, and the option that changes it.
    """
    _refuse_other_hosts(settings)
    _refuse_shared_ports(settings)
    refuse_taken_ports(settings)


def refuse_taken_ports(settings: Settings) -> None:
    """Check that all ports are free; raises as `refuse_unusable_ports` does."""
    for name, (host, port) in needed_ports(settings).items():
        if not port_is_free(host, port):
            holder = port_holder(port)
            use_it = f"; to use it as the MLflow server, set UNDERTONE_TRACKING_URI=http://{host}:{port}"
            raise PlatformError(
                f"port {port} is in use by {holder}: end that, or choose another port with {spelling_of(name)}"
                f"{use_it if name == 'mlflow_port' else ''}"
            )


def _refuse_other_hosts(settings: Settings) -> None:
    for name, of_port in (("host", "port"), ("ui_host", "ui_port")):
        host = getattr(settings, name)
        if of_port in needed_ports(settings) and not (host and port_is_free(host, _ANY_PORT)):
            raise PlatformError(f"{host!r} is not an address of this machine: set another with {spelling_of(name)}")


def _refuse_shared_ports(settings: Settings) -> None:
    users: dict[int, str] = {}
    for name, (_, port) in needed_ports(settings).items():
        if port in users:
            both = f"{spelling_of(users[port])} and {spelling_of(name)}"
            raise PlatformError(f"{both} are both {port}: choose another port for one of them")
        users[port] = name


def _is_reachable(host: str) -> bool:
    address = ip_address(host.partition("%")[0])
    return not (address.is_loopback or address.is_link_local)
