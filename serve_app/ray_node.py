"""Runs Ray and the Serve application of a local platform until a signal, or until Ray dies.

    python -m serve_app.ray_node --instance NAME

The supervisor starts it, and restarts it when it ends. With `UNDERTONE_ADDRESS` it deploys to that cluster instead. It
is a separate process because Ray ends a driver whose cluster dies.
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
from serve_app.supervisor.ingress.haproxy_drain import drain_haproxy
from serve_app.supervisor.restart_policy import REFUSED
from serve_app.supervisor.state import PlatformPaths

logger = logging.getLogger(__name__)

#: More than there are: the settings fix the threads of replicas, so Ray must not limit how many replicas start.
_LOGICAL_CPUS: Final = 64
_OBJECT_STORE_BYTES: Final = 200 * 2**20
_ESSENTIAL: Final = ("gcs_server", "raylet")
_POLL_S: Final = 0.5
#: Seconds between two looks for the addresses of a cluster's API: its nodes come and go.
_REFRESH_S: Final = 5.0


def main(arguments: Sequence[str]) -> int:
    """Run until SIGTERM; return 0, or 1 if Ray died, or REFUSED if the settings cannot work."""
    stop = threading.Event()
    _stop_on_signal(stop)
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
    """Run Ray on this machine alone, with the application, until `stop`."""
    start_ray(settings)
    _stop_on_signal(stop)  # again: Ray's start has set a handler that ends the process at once
    essential = _essential_processes()
    if not stop.is_set():
        start_application(settings, instance)
        wait_until_up(stop)
    if not _wait(stop, essential):
        logging.shutdown()
        os._exit(1)  # Ray's own exit would wait a minute for the dead process; the supervisor ends the others
    end(settings)
    return 0


def run_on_cluster(settings: Settings, instance: str, stop: threading.Event, *, replace: bool) -> int:
    """Deploy to the cluster at `settings.address`, follow its addresses until `stop`, then remove what was deployed.

    Raises:
        InvalidSettings: another application runs there, or a node lacks a secret.
        PlatformError: the cluster does not answer, or the application does not come up.
    """
    join(str(settings.address), environment_on(settings))
    _stop_on_signal(stop)
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
    """Start Ray on this machine alone, with all of its ports on loopback."""
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
    """Deploy the application to Serve and return at once; on this machine, start Serve first."""
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
        InvalidSettings: it does not start because a node lacks a setting; the message is the node's.
        PlatformError: it does not start; the message is Serve's.
    """
    while not stop.wait(_POLL_S):
        overview = application_statuses().get(APPLICATION)
        if overview and overview.status == ApplicationStatus.RUNNING:
            return
        if overview and overview.status == ApplicationStatus.DEPLOY_FAILED:
            messages = [overview.message, *(part.message for part in overview.deployments.values())]
            raise failure_of("\n".join(messages))


def failure_of(message: str) -> InvalidSettings | PlatformError:
    """Return, as an error of one line, why Serve could not start the application: the last error of a traceback."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    kind = f"{InvalidSettings.__name__}: "
    of_settings = [line for line in lines if kind in line]
    if of_settings:
        return InvalidSettings(of_settings[-1].partition(kind)[2])
    errors = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Unavailable|Rejected|Timeout)\b.*: ", line)]
    return PlatformError(f"the application does not start: {(errors or lines or ['Serve gave no reason'])[-1]}")


def end(settings: Settings) -> None:
    """Answer the requests in flight, then end the application, Serve and Ray."""
    admin = admin_socket(PlatformPaths(settings.home).run)
    drain_haproxy(
        psutil.Process().children(recursive=True), admin, settings.deadline_ms / 1000 + 2
    )  # replicas end next
    serve.shutdown()
    ray.shutdown()


def _stop_on_signal(stop: threading.Event) -> None:
    """Set `stop` on SIGTERM and SIGINT."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serve_app.ray_node", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--instance", default="", help="id of the platform's start, which its API reports")
    parser.add_argument("--replace", action="store_true", help="replace the application that the cluster serves")
    return parser


def _http_options(settings: Settings) -> dict[str, Any]:
    # With HAProxy, Serve itself stays on loopback; only HAProxy's frontend listens on the host that was asked for.
    host = LOOPBACK if installed_haproxy() else settings.host
    return {"host": host, "port": settings.port}


def _essential_processes() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if child.name() in _ESSENTIAL]


def _wait(stop: threading.Event, essential: list[psutil.Process]) -> bool:
    while not stop.wait(_POLL_S):
        dead = [process for process in essential if not _runs(process)]
        if dead:
            logger.error("Ray's process %s has died; restarting Ray and Serve", dead[0])
            return False
    return True


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
