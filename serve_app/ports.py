"""The ports of a local platform: which they are, what they are for, and who holds one that is taken."""

from __future__ import annotations

from importlib.util import find_spec

from sentiment.errors import PlatformError
from sentiment.settings import PREFIX, Settings
from serve_app.haproxy import LOOPBACK, installed_haproxy
from serve_app.parts import api_address, page_address
from serve_app.probe import Address
from serve_app.processes import port_holder, port_is_free

_FLAGS = ("port", "ui_port", "mlflow_port", "dashboard_port")


def addresses(settings: Settings) -> dict[str, str]:
    """Return the addresses that a user opens, by what is there."""
    found = {
        "API": api_address(settings).url,
        "API documentation": f"{api_address(settings).url}/docs",
        "MLflow": settings.registry_uri.rpartition("@")[2],
    }
    if find_spec("gradio"):
        found["Page"] = page_address(settings).url
    if settings.address is None:
        found["Ray dashboard"] = Address(LOOPBACK, settings.dashboard_port).url
    return found


def needed_ports(settings: Settings) -> dict[str, tuple[str, int]]:
    """Return the host and port of each setting that this platform will listen on."""
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


def refuse_taken_ports(settings: Settings) -> None:
    """Check that all ports are free.

    Raises:
        PlatformError: naming the port, who holds it, and the option that chooses another.
    """
    for name, (host, port) in needed_ports(settings).items():
        if not port_is_free(host, port):
            raise PlatformError(
                f"port {port} is in use by {port_holder(port)}: end that, or choose another {_how(name)}"
            )


def _how(name: str) -> str:
    variable = f"with {PREFIX}{name.upper()}"
    return f"with --{name.replace('_', '-')} or {variable.removeprefix('with ')}" if name in _FLAGS else variable
