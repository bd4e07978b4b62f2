"""What Serve runs on a cluster, and which of it this platform may replace, reach or remove. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from sentiment.settings import LOOPBACK, Settings, spelling_of
from serve_app.rollout.cluster.protocols import APP_PREFIX
from serve_app.supervisor.probe import Address

APPLICATION: Final = "undertone"
GATEWAY: Final = "Gateway"
#: The field of the Gateway's `user_config` with the id of the platform's start. Serve shows it to anybody.
INSTANCE: Final = "instance"

_ROUTE: Final = "/"
_WILDCARDS: Final = ("0.0.0.0", "::")  # noqa: S104
_DECLARED: Final = "declarative"


@dataclass(frozen=True)
class RunningApp:
    """One application in Serve."""

    name: str
    route_prefix: str | None
    is_declared: bool
    """Whether `serve deploy` deployed it, from a configuration."""
    instance: str | None
    """Id of the platform's start that deployed it; None where no platform did."""
    status: str
    message: str

    @classmethod
    def read(cls, details: Mapping[str, Any]) -> Self:
        """Read it from Serve's details of an application."""
        gateway = details["deployments"].get(GATEWAY)
        config = (gateway or {}).get("deployment_config", {}).get("user_config") or {}
        instance = config.get(INSTANCE) if isinstance(config, Mapping) else None
        declared = str(getattr(details["source"], "value", details["source"])) == _DECLARED
        status = str(getattr(details["status"], "value", details["status"]))
        return cls(details["name"], details["route_prefix"], declared, instance, status, details["message"])

    def __str__(self) -> str:
        origin = "serve deploy" if self.is_declared else "serve run or another undertone up"
        return f"{self.name} at {self.route_prefix or 'no route'}, started by {origin}, {self.status}"


@dataclass(frozen=True)
class RunningServe:
    """Serve on a cluster."""

    host: str
    """Host that its proxies listen on."""
    port: int
    proxy_ips: tuple[str, ...] = ()
    """Nodes with a healthy proxy, the head first."""
    apps: tuple[RunningApp, ...] = field(default=())

    def app(self, name: str) -> RunningApp | None:
        """Return the application of that name."""
        return next((app for app in self.apps if app.name == name), None)

    def is_of(self, instance: str) -> bool:
        """Return whether the platform's application runs here and belongs to this start."""
        app = self.app(APPLICATION)
        return app is not None and app.instance == instance

    def apis(self, own_ips: Collection[str]) -> tuple[str, ...]:
        """Return the addresses at which this machine reaches the proxies; `own_ips` are its own addresses."""
        if self.host in _WILDCARDS:
            return tuple(Address(ip, self.port).url for ip in self.proxy_ips)
        if self.host in LOOPBACK:
            here = any(ip in own_ips for ip in self.proxy_ips)
            return (Address(LOOPBACK[0], self.port).url,) if here else ()
        return (Address(self.host, self.port).url,)


def conflicting_apps(running: RunningServe, instances: Collection[str]) -> list[RunningApp]:
    """Return the applications with the names or the route that the platform needs, except those of these starts."""
    others = [app for app in running.apps if _needs_place(app) and app.instance not in instances]
    if any(running.is_of(instance) for instance in instances):  # then the versions are its own too
        return [app for app in others if app.is_declared or not app.name.startswith(APP_PREFIX)]
    return others


def refusal(
    running: RunningServe | None, instances: Collection[str], settings: Settings, *, replace: bool
) -> str | None:
    """Return why the application may not be deployed, None if it may.

    `instances` are the starts of this home's platform. Other applications with the names or the route that it needs
    are left alone, unless the user says `replace`.
    """
    if running is None:
        return None
    if settings.port not in (running.port, Settings.model_fields["port"].default):
        return (
            f"Serve on the cluster at {settings.address} already listens on port {running.port}, not on "
            f"{settings.port}: leave {spelling_of('port')} out, or set it to {running.port}."
        )
    others = conflicting_apps(running, instances)
    if not others or replace:
        return None
    running_apps = "; ".join(str(app) for app in others)
    return (
        f"the cluster at {settings.address} already runs {running_apps}. Nothing was changed. To end it and run this "
        "platform in its place, add --replace"
    )


def versions_of(running: RunningServe) -> list[str]:
    """Return the names of the applications of model versions, which the rollout controller has started."""
    return [app.name for app in running.apps if app.name.startswith(APP_PREFIX)]


def _needs_place(app: RunningApp) -> bool:
    return app.name == APPLICATION or app.route_prefix == _ROUTE or app.name.startswith(APP_PREFIX)
