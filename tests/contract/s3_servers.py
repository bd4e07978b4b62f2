"""S3 servers for tests, on free ports of loopback: moto's, which honours conditional writes, and rclone's, which checks
signatures and checksums and ignores conditions."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from tests.free_ports import free_port

KEY, SECRET = "UNDERTONETEST", "not-a-secret-of-anyone"
BUCKET: Final = "river"
#: Nothing of this machine's own set-up shall reach boto3.
ENVIRONMENT: Final = {
    "AWS_ACCESS_KEY_ID": KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class S3Server:
    """One server process and its log."""

    def __init__(self, folder: Path, *command: str) -> None:
        self._folder = folder
        self._port = free_port()
        self.endpoint = f"http://127.0.0.1:{self._port}"
        program = Path(sys.executable).with_name(command[0])
        arguments = [part.format(port=self._port) for part in command[1:]]
        with (folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen([program, *arguments], cwd=folder, stdout=log, stderr=log)
        self._wait()

    def stop(self) -> None:
        """End the server."""
        self._process.kill()
        self._process.wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while not self._accepts():
            assert self._process.poll() is None, (self._folder / "server.log").read_text()
            assert time.monotonic() < deadline, "the S3 server did not start"
            time.sleep(0.05)

    def _accepts(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


def start_moto(folder: Path) -> S3Server:
    """Start moto's server, which keeps objects in memory."""
    return S3Server(folder, "moto_server", "-H", "127.0.0.1", "-p", "{port}")


def start_rclone(folder: Path) -> S3Server:
    """Start rclone on `folder`, whose folders are the buckets."""
    (folder / BUCKET).mkdir()
    listen = ("--addr", "127.0.0.1:{port}", "--auth-key", f"{KEY},{SECRET}")
    return S3Server(folder, "rclone", "serve", "s3", str(folder), *listen, "--config", "/dev/null")


def client_of(endpoint: str) -> Any:
    """Return boto3's own client, to look at a server and to damage what is on it."""
    import boto3

    return boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
