"""Holds Ray and the Serve application of a local platform until it is told to end, or until Ray dies.

    python -m serve_app.ray_node

The supervisor starts it and starts it anew when it ends. With `UNDERTONE_ADDRESS` it deploys to that cluster instead.
A process of its own, since a Ray driver whose cluster dies is ended by Ray.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from typing import Any, Final

import psutil
import ray
from ray import serve
from ray.serve.schema import LoggingConfig

from sentiment.environment import cluster_environment
from sentiment.settings import Settings, load_settings
from serve_app.app import AppArgs, build_app
from serve_app.door import close_door
from serve_app.haproxy import LOOPBACK, admin_socket, installed_haproxy
from serve_app.platform_state import Places

logger = logging.getLogger(__name__)

APPLICATION: Final = "undertone"

#: Logical CPUs: replicas share the machine's cores by threads, which settings fix, so Ray is not to ration them.
_LOGICAL_CPUS: Final = 64
_OBJECT_STORE_BYTES: Final = 200 * 2**20
_ESSENTIAL: Final = ("gcs_server", "raylet")
_POLL_S: Final = 0.5


def main() -> int:
    """Run until SIGTERM (0) or until Ray dies (1)."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    settings = load_settings()
    start_ray(settings)
    essential = _essential_processes()
    start_application(settings)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):  # after Ray's start, which sets a handler that ends at once
        signal.signal(number, lambda *_: stop.set())
    if not _wait(stop, essential):
        logging.shutdown()
        os._exit(1)  # Ray's own exit would wait for the dead for a minute; the supervisor ends what is left
    end(settings)
    return 0


def start_ray(settings: Settings) -> None:
    """Start a Ray of this machine alone, all of its ports on loopback, or join the cluster at `settings.address`."""
    if settings.address:
        runtime_env = {"env_vars": cluster_environment(settings)}  # the replicas shall see the settings of this command
        ray.init(address=settings.address, log_to_driver=False, runtime_env=runtime_env)
        return
    ray.init(
        address="local",
        num_cpus=_LOGICAL_CPUS,
        object_store_memory=_OBJECT_STORE_BYTES,
        include_dashboard=True,
        dashboard_host=LOOPBACK,
        dashboard_port=settings.dashboard_port,
        log_to_driver=False,
        _temp_dir=str(Places(settings.home).run / "ray"),
    )


def start_application(settings: Settings) -> None:
    """Start Serve and the application; return when all of it runs."""
    logs = LoggingConfig(enable_access_log=False, logs_dir=str(Places(settings.home).logs / "serve"))
    if not settings.address:
        serve.start(http_options=_http_options(settings), logging_config=logs)
    serve.run(build_app(AppArgs(local=not settings.address)), name=APPLICATION, route_prefix="/", logging_config=logs)


def end(settings: Settings) -> None:
    """Answer what is in flight, then end the application, and Serve and Ray where they are this machine's alone."""
    if settings.address:
        serve.delete(APPLICATION)
        return
    admin = admin_socket(Places(settings.home).run)
    close_door(psutil.Process().children(recursive=True), admin, settings.deadline_ms / 1000 + 2)  # replicas end next
    serve.shutdown()
    ray.shutdown()


def _http_options(settings: Settings) -> dict[str, Any]:
    # With HAProxy only its frontend widens beyond loopback; the wrapper does that (`serve_app/haproxy.py`).
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
    sys.exit(main())
