"""Holds Ray and the Serve application of a local platform until it is told to end, or until Ray dies.

    python -m serve_app.ray_node --instance NAME

The supervisor starts it and starts it anew when it ends. With `UNDERTONE_ADDRESS` it deploys to that cluster instead.
A process of its own, since a Ray driver whose cluster dies is ended by Ray.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any, Final

import psutil
import ray
from ray import serve
from ray.serve.schema import ApplicationStatus, LoggingConfig

from sentiment.errors import InvalidSettings, PlatformError
from sentiment.settings import Settings, load_settings
from serve_app.app import AppArgs, build_app
from serve_app.on_cluster.application import ClusterApplication, environment_on, join
from serve_app.on_cluster.standing import APPLICATION
from serve_app.rollout.cluster.serve_internals import application_statuses
from serve_app.supervisor.ingress.haproxy_config import LOOPBACK, admin_socket, installed_haproxy
from serve_app.supervisor.ingress.haproxy_drain import close_door
from serve_app.supervisor.restart_policy import REFUSED
from serve_app.supervisor.state import PlatformPaths

logger = logging.getLogger(__name__)

#: Logical CPUs: replicas share the machine's cores by threads, which settings fix, so Ray is not to ration them.
_LOGICAL_CPUS: Final = 64
_OBJECT_STORE_BYTES: Final = 200 * 2**20
_ESSENTIAL: Final = ("gcs_server", "raylet")
_POLL_S: Final = 0.5
#: How often a cluster is asked where its API listens: its nodes come and go.
_REFRESH_S: Final = 5.0


def main(arguments: Sequence[str]) -> int:
    """Run until SIGTERM (0), until Ray dies (1), or until what is asked for turns out to be impossible (REFUSED)."""
    stop = threading.Event()
    _heed(stop)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    options = _parser().parse_args(arguments)
    settings = load_settings()
    try:
        if settings.address:
            return run_on_cluster(settings, options.instance, stop, replace=options.replace)
        return run_here(settings, options.instance, stop)
    except (InvalidSettings, PlatformError) as exc:
        sys.stderr.write(f"{exc}\n")  # the supervisor shows the last line
        return REFUSED if isinstance(exc, InvalidSettings) else 1


def run_here(settings: Settings, instance: str, stop: threading.Event) -> int:
    """Run a Ray of this machine alone, with the application, until `stop`."""
    start_ray(settings)
    _heed(stop)  # Ray's start sets a handler that ends at once
    essential = _essential_processes()
    if not stop.is_set():
        start_application(settings, instance)
        wait_until_up(stop)
    if not _wait(stop, essential):
        logging.shutdown()
        os._exit(1)  # Ray's own exit would wait for the dead for a minute; the supervisor ends what is left
    end(settings)
    return 0


def run_on_cluster(settings: Settings, instance: str, stop: threading.Event, *, replace: bool) -> int:
    """Deploy to the cluster at `settings.address` and keep an eye on it until `stop`, then remove what was deployed.

    Raises:
        InvalidSettings: another's application stands there, or a node lacks a secret.
        PlatformError: the cluster does not answer, or the application does not come up.
    """
    join(str(settings.address), environment_on(settings))
    _heed(stop)
    if stop.is_set():
        return 0
    application = ClusterApplication.to_deploy(settings, PlatformPaths(settings.home), instance, replace=replace)
    try:
        start_application(settings, instance)
        wait_until_up(stop)
        while not stop.is_set():
            application.refresh()
            stop.wait(_REFRESH_S)
    finally:
        application.remove()
    return 0


def start_ray(settings: Settings) -> None:
    """Start a Ray of this machine alone, all of its ports on loopback."""
    ray.init(
        address="local",
        num_cpus=_LOGICAL_CPUS,
        object_store_memory=_OBJECT_STORE_BYTES,
        include_dashboard=True,
        dashboard_host=LOOPBACK,
        dashboard_port=settings.dashboard_port,
        log_to_driver=False,
        _temp_dir=str(PlatformPaths(settings.home).run / "ray"),
    )


def start_application(settings: Settings, instance: str) -> None:
    """Give the application to Serve, which is started on this machine if need be; return at once."""
    local = not settings.address
    folder = {"logs_dir": str(PlatformPaths(settings.home).logs / "serve")} if local else {}
    logs = LoggingConfig(enable_access_log=False, **folder)
    if local:
        serve.start(http_options=_http_options(settings), logging_config=logs)
    application = build_app(AppArgs(local=local, instance=instance))
    target = serve.RunTarget(target=application, name=APPLICATION, route_prefix="/", logging_config=logs)
    serve.run_many([target], wait_for_ingress_deployment_creation=False, wait_for_applications_running=False)


def wait_until_up(stop: threading.Event) -> None:
    """Return when the application runs, or at `stop`.

    Raises:
        InvalidSettings: it does not run, since a node lacks a setting; the message is the node's.
        PlatformError: it does not run; the message is Serve's.
    """
    while not stop.wait(_POLL_S):
        known = application_statuses().get(APPLICATION)
        if known and known.status == ApplicationStatus.RUNNING:
            return
        if known and known.status == ApplicationStatus.DEPLOY_FAILED:
            messages = [known.message, *(part.message for part in known.deployments.values())]
            raise failure_of("\n".join(messages))


def failure_of(message: str) -> InvalidSettings | PlatformError:
    """Return in one line why Serve could not start the application: the error behind the last traceback."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    kind, wrong = f"{InvalidSettings.__name__}: ", [line for line in lines if f"{InvalidSettings.__name__}: " in line]
    if wrong:
        return InvalidSettings(wrong[-1].partition(kind)[2])
    errors = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Unavailable|Rejected|Timeout)\b.*: ", line)]
    return PlatformError(f"the application does not start: {(errors or lines or ['Serve said nothing'])[-1]}")


def end(settings: Settings) -> None:
    """Answer what is in flight, then end the application, Serve and Ray of this machine alone."""
    admin = admin_socket(PlatformPaths(settings.home).run)
    close_door(psutil.Process().children(recursive=True), admin, settings.deadline_ms / 1000 + 2)  # replicas end next
    serve.shutdown()
    ray.shutdown()


def _heed(stop: threading.Event) -> None:
    """Let a signal to end set `stop`, at whatever moment it comes."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serve_app.ray_node", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--instance", default="", help="names the platform's start, so that its API is known")
    parser.add_argument("--replace", action="store_true", help="put it in the place of what the cluster serves")
    return parser


def _http_options(settings: Settings) -> dict[str, Any]:
    # With HAProxy only its frontend widens beyond loopback; a wrapper does (`supervisor/ingress/haproxy_config`).
    host = LOOPBACK if installed_haproxy() else settings.host
    return {"host": host, "port": settings.port}


def _essential_processes() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if child.name() in _ESSENTIAL]


def _wait(stop: threading.Event, essential: list[psutil.Process]) -> bool:
    while not stop.wait(_POLL_S):
        gone = [process for process in essential if not _runs(process)]
        if gone:
            logger.error("%s of Ray has died: Ray and Serve are started anew", gone[0])
            return False
    return True


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
