"""The processes of a local platform: their commands, their environments, and how each is known to be ready."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from sentiment.environment import process_environment
from sentiment.ingest.checkpoint import WORKER_LOCK, ingests_folder, is_locked
from sentiment.priority import start_niceness
from sentiment.settings import Settings
from serve_app.on_cluster.record import read_record
from serve_app.supervisor.ingress.haproxy_config import (
    LOOPBACK,
    haproxy_environment,
    haproxy_folder,
    installed_haproxy,
    write_wrapper,
)
from serve_app.supervisor.probe import Address, answers, is_instance
from serve_app.supervisor.processes import listens, marker_of
from serve_app.supervisor.state import PlatformPaths

RAY: Final = "ray"
MLFLOW: Final = "mlflow"
MODEL: Final = "model"
UI: Final = "ui"
INGEST: Final = "ingest"

#: Seconds that Serve and Ray get to end once the last request is answered.
_RAY_GRACE_S: Final = 45.0
_GRACE_S: Final = 5.0


@dataclass(frozen=True)
class ProcessSpec:
    """One process that the supervisor keeps up."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    ready: Callable[[], bool]
    """Returns whether it is ready."""
    after: str | None = None
    """Name of the part that must be ready before it starts."""
    once: bool = False
    """Whether it is done, rather than to be restarted, when it ends with status 0."""
    grace_s: float = _GRACE_S
    """Seconds that it gets to end."""
    late: Callable[[], Mapping[str, str]] = dict
    """Returns variables that are known only when it starts."""


@dataclass(frozen=True)
class PlatformStart:
    """One start of a platform."""

    instance: str
    """Its unique id."""
    replace: bool = False
    """Whether it may replace another application that a cluster serves."""


def process_specs(
    settings: Settings, places: PlatformPaths, api_key: str | None, start: PlatformStart
) -> list[ProcessSpec]:
    """Return the parts of this machine's platform, in the order in which they end."""
    parts = [_ray_part(settings, places, start)]
    if find_spec("gradio"):
        parts.append(_ui_part(settings, places, api_key))
    if settings.ingest:
        parts.append(_ingest_part(settings, places, api_key))
    parts.append(_model_part(settings, places))
    if settings.tracking_uri is None:
        parts.append(_mlflow_part(settings, places))
    return parts


def api_address(settings: Settings) -> Address:
    """Return the address at which this machine reaches the API."""
    return Address(_reachable(settings.host), settings.port)


def api_addresses(settings: Settings, places: PlatformPaths) -> list[Address]:
    """Return the addresses at which the API may answer, the best first; on a cluster they come from the record."""
    if settings.address is None:
        return [api_address(settings)]
    record = read_record(places.cluster)
    return [Address.of(url) for url in record.apis] if record else []


def answering_api(settings: Settings, places: PlatformPaths, instance: str) -> Address | None:
    """Return the address at which the API of this start of the platform answers; None if it answers nowhere."""
    return next((each for each in api_addresses(settings, places) if is_instance(each, instance)), None)


def page_address(settings: Settings) -> Address:
    """Return the address at which this machine reaches the page."""
    return Address(_reachable(settings.ui_host), settings.ui_port)


def _reachable(host: str) -> str:
    return {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)  # noqa: S104


def _ray_part(settings: Settings, places: PlatformPaths, start: PlatformStart) -> ProcessSpec:
    extra = {} if settings.address else _ray_environment(settings, places)
    grace_s = settings.deadline_ms / 1000 + _RAY_GRACE_S * (2 if settings.address else 1)
    command = ("serve_app.ray_node", "--instance", start.instance, *(["--replace"] if start.replace else []))

    def ready() -> bool:
        """Return whether this start's API answers."""
        return answering_api(settings, places, start.instance) is not None

    return _part(RAY, settings, places, command, extra, ready, grace_s)


def _ui_part(settings: Settings, places: PlatformPaths, api_key: str | None) -> ProcessSpec:
    page = page_address(settings)
    return _client_part(UI, settings, places, "gradio_ui", api_key, lambda: _serves(places, UI, page, "/"))


def _ingest_part(settings: Settings, places: PlatformPaths, api_key: str | None) -> ProcessSpec:
    lock = ingests_folder(settings) / WORKER_LOCK
    return _client_part(INGEST, settings, places, "serve_app.ingest", api_key, lambda: is_locked(lock))


def _client_part(
    name: str, settings: Settings, places: PlatformPaths, module: str, api_key: str | None, ready: Callable[[], bool]
) -> ProcessSpec:
    extra = {"UNDERTONE_API_KEY": api_key} if api_key else {}
    part = _part(name, settings, places, (module,), extra, ready)

    def late() -> dict[str, str]:
        """Return the variable with the API's address; on a cluster it is known once Serve runs there."""
        apis = api_addresses(settings, places)
        return {"UNDERTONE_URL": apis[0].url} if apis else {}

    return replace(part, after=RAY if settings.address else None, late=late)


def _model_part(settings: Settings, places: PlatformPaths) -> ProcessSpec:
    part = _part(MODEL, settings, places, ("serve_app.shipped_model",), {}, lambda: False)
    after = MLFLOW if settings.tracking_uri is None else None
    return replace(part, after=after, once=True)


def _mlflow_part(settings: Settings, places: PlatformPaths) -> ProcessSpec:
    database, artifacts = places.mlflow / "mlflow.db", places.mlflow / "artifacts"
    listen = ("--host", LOOPBACK, "--port", str(settings.mlflow_port), "--workers", "1")
    stores = ("--backend-store-uri", f"sqlite:///{database}", "--artifacts-destination", str(artifacts))
    extra = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    server = Address(LOOPBACK, settings.mlflow_port)
    command = ("mlflow", "server", *listen, *stores)
    return _part(MLFLOW, settings, places, command, extra, lambda: _serves(places, MLFLOW, server, "/health"))


def _serves(places: PlatformPaths, part: str, address: Address, path: str) -> bool:
    """Return whether the part itself answers, and not a server that took its port after the check of the ports."""
    return answers(address, path) and listens(places.home, part, address.port)


def _part(
    name: str,
    settings: Settings,
    places: PlatformPaths,
    module: tuple[str, ...],
    extra: Mapping[str, str],
    ready: Callable[[], bool],
    grace_s: float = _GRACE_S,
) -> ProcessSpec:
    environment = process_environment(settings, {**marker_of(places.home, name), **extra})
    return ProcessSpec(
        name, (sys.executable, "-m", *module), environment, places.logs / f"{name}.log", ready, grace_s=grace_s
    )


def _ray_environment(settings: Settings, places: PlatformPaths) -> dict[str, str]:
    environment = {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on Linux this moves Ray's own ports to loopback
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(places.ray_token),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_TMPDIR": str(places.run),
        # With the defaults the API is away for half a minute after HAProxy was killed, and a version ends as slowly.
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "2",
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "5",
        "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.3",  # its 0.1 costs a twentieth of a core, always
    }
    # Ray's default niceness of 15, added to its own, gives any other process 28 times the weight of a replica. Here a
    # replica starts low and rises once it can serve, so that a version that loads does not slow those that answer.
    # Without HAProxy requests go through a process of Serve's own, which would stay low.
    binary = installed_haproxy()
    lower_by = start_niceness() if binary else 0
    environment["RAY_worker_niceness"] = str(lower_by)
    if binary is None:
        return environment
    wrapper = write_wrapper(haproxy_folder(places.run), settings, binary, rise_by=lower_by)
    return {**environment, **haproxy_environment(wrapper.parent, settings, wrapper)}
