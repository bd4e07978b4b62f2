"""A server of MongoDB's protocol for tests: nx-27017 in a folder of its own, on a free port of loopback."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.free_ports import free_port


class NxServer:
    """Starts, kills and starts again one nx-27017 that keeps its port and its data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._port = free_port()
        self.uri = f"mongodb://127.0.0.1:{self._port}/"

    def start(self) -> None:
        """Return when the server accepts connections."""
        pid_file = self._folder / "nx.pid"
        pid_file.unlink(missing_ok=True)  # nx refuses to start beside the file of a killed one
        program = Path(sys.executable).with_name("nx-27017")
        arguments = ["--data-dir", self._folder / "data", "-p", str(self._port), "--pid-file", pid_file]
        with (self._folder / "nx.log").open("ab") as log:
            self._process = subprocess.Popen([program, *arguments], cwd=self._folder, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while not self._accepts():
            assert self._process.poll() is None, (self._folder / "nx.log").read_text()
            assert time.monotonic() < deadline, "nx-27017 did not start"
            time.sleep(0.05)

    def kill(self) -> None:
        """End the server at once, as kill -9 does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def send(self, number: int) -> None:
        """Send the server a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def _accepts(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0
