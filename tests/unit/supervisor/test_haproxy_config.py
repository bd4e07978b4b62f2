"""What becomes of the configuration that Serve writes for HAProxy."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sentiment.settings import Settings
from serve_app.supervisor.ingress.haproxy_config import write_wrapper

WRITTEN = """\
backend http-undertone
    default-server inter 5s
    server gateway-1 127.0.0.1:3000 check
    server gateway-2 127.0.0.1:3001 check observe layer4 error-limit 3 on-error mark-down
    server fallback 127.0.0.1:3002 check backup
backend other
    server gateway-1 127.0.0.1:3000 track http-undertone/gateway-1
"""


def corrected(folder: Path, **settings: object) -> list[str]:
    """Return the lines that HAProxy reads in place of Serve's."""
    written = folder / "haproxy.cfg"
    written.write_text(WRITTEN)
    wrapper = write_wrapper(folder / "run", Settings(home=folder, **settings), "true")
    subprocess.run([wrapper, "-f", written], check=True)
    return written.read_text().splitlines()


def test_each_gateway_is_filled_in_turn_and_nothing_else_is(tmp_path):
    rules = [line for line in corrected(tmp_path, gateway_fill=7) if "use-server" in line]
    assert rules == [
        f"    use-server {name} if {{ path /v1/predict }} {{ srv_conn({name}) lt 7 }}"
        for name in ("gateway-1", "gateway-2")
    ]


@pytest.mark.parametrize("fill", [0, 7])
def test_servers_stay_as_they_were_written(tmp_path, fill):
    lines = corrected(tmp_path, gateway_fill=fill)
    assert [line for line in lines if "use-server" not in line] == WRITTEN.splitlines()
    assert (len(lines) > len(WRITTEN.splitlines())) is bool(fill)
