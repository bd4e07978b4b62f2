"""A Ray cluster of one node, as `ray start --head` makes it: on loopback, guarded by a token, on ports of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx
import psutil

from tests.free_ports import free_ports

TOKEN: Final = "0123456789abcdef0123456789abcdef"
_ROOT: Final = Path(__file__).parents[1]
_START_S: Final = 600.0
_PORTS: Final = (
    "--port",
    "--dashboard-port",
    "--ray-client-server-port",
    "--dashboard-agent-listen-port",
    "--dashboard-agent-grpc-port",
    "--metrics-export-port",
    "--runtime-env-agent-port",
    "--node-manager-port",
    "--object-manager-port",
)


class RayHead:
    """The cluster and its processes. `environment` is what a client of it needs, besides what its jobs are to see."""

    def __init__(self, folder: Path, environment: Mapping[str, str], cpus: int = 2) -> None:
        self._folder = folder
        self._temporary = Path(tempfile.mkdtemp(prefix="ray-"))  # short: its sockets' paths are bounded
        ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
        self.address = f"http://127.0.0.1:{ports['--dashboard-port']}"
        self.gcs_address = f"127.0.0.1:{ports['--port']}"
        self.environment = {
            **os.environ,
            **environment,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(_ROOT),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": TOKEN,
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # keeps Ray's own ports on loopback
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        command = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", "--disable-usage-stats"]
        command += [
            "--node-ip-address",
            "127.0.0.1",
            "--dashboard-host",
            "127.0.0.1",
            "--temp-dir",
            str(self._temporary),
        ]
        command += [f"--num-cpus={cpus}", "--object-store-memory=100000000"]
        command += [f"{option}={port}" for option, port in ports.items()]
        with (folder / "head.log").open("wb") as log:
            self._process = psutil.Popen(command, env=self.environment, stdout=log, stderr=log)
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the head and all that it started, by their ids."""
        processes = self.processes()
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, timeout=30)
        shutil.rmtree(self._temporary, ignore_errors=True)

    def processes(self, title: str = "") -> list[psutil.Process]:
        """Return the cluster's living processes, itself last, or those of them with that in their title."""
        found = [*self._process.children(recursive=True), self._process]
        return [process for process in found if not title or title in _title(process)]

    def run(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start `undertone` with these arguments as a client of the cluster, with these variables besides."""
        return subprocess.Popen(
            [sys.executable, "-m", "cli.main", *arguments],
            env={**self.environment, **environment},
            cwd=self._folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    @property
    def session_folder(self) -> Path:
        """The folder of Ray's sessions: logs, and what Ray tells its processes."""
        return self._temporary

    def _wait(self) -> None:
        until = time.monotonic() + _START_S
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "head.log").read_text()
            assert time.monotonic() < until, "the cluster did not start"
            time.sleep(0.5)

    def _answers(self) -> bool:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        try:
            return httpx.get(f"{self.address}/api/jobs/", headers=headers, timeout=10).is_success
        except httpx.HTTPError:
            return False


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
