"""All that a Ray cluster shows to who may look at it: its HTTP APIs, its state, its key-value store, its logs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx

from tests.ray_head import TOKEN, RayHead

_STATE: Final = ("actors", "jobs", "nodes", "objects", "placement_groups", "runtime_envs", "tasks", "workers")
_ROUTES: Final = (
    "/api/jobs/",
    "/api/serve/applications/",
    "/api/cluster_status",
    "/api/actors/kill_list",
    "/logical/actors",
    "/nodes?view=summary",
    "/api/snapshot",
    "/api/component_activities",
    "/api/train/v2/runs/v1",
    *(f"/api/v0/{kind}?detail=1&limit=10000" for kind in _STATE),
)
#: Writes each entry of the key-value store, and all of `ray.util.state`, to standard output.
_DUMP: Final = """
import ray, sys
from ray.experimental import internal_kv as kv
from ray.util import state
ray.init(address=sys.argv[1], log_to_driver=False)
out = sys.stdout.buffer
for space in (None, b"serve", b"job", b"fun", b"session", b"cluster", b"dashboard", b"usage_stats", b"package"):
    for key in kv._internal_kv_list(b"", namespace=space):
        out.write(b"\\n" + key + b" = " + (kv._internal_kv_get(key, namespace=space) or b""))
for listed in (state.list_actors, state.list_jobs, state.list_runtime_envs, state.list_tasks, state.list_workers):
    out.write(repr(listed(address=sys.argv[2], detail=True, limit=9999, raise_on_missing_output=False)).encode())
"""


def shown_by(head: RayHead) -> Iterator[tuple[str, bytes]]:
    """Yield what each place shows, with the place's name."""
    for route in _ROUTES:
        answer = httpx.get(f"{head.address}{route}", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30)
        if answer.is_success:
            yield route, answer.content
    yield "key-value store and ray.util.state", _dumped(head)
    for file in head.session_folder.rglob("*"):
        if file.is_file():
            yield str(file), file.read_bytes()


def _dumped(head: RayHead) -> bytes:
    command = [sys.executable, "-c", _DUMP, head.gcs_address, head.address]
    done = subprocess.run(command, env=head.environment, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def places_that_show(head: RayHead, word: str) -> list[str]:
    """Return the names of the places that show a word."""
    return [place for place, content in shown_by(head) if word.encode() in content]


def program(name: str) -> str:
    """Return the path of a program that came with Ray."""
    return str(Path(sys.executable).with_name(name))
