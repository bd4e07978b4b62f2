"""A platform for tests: on free ports, in a home of its own, started and ended by the command that users type."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from serve_app.supervisor.processes import own_processes
from tests.free_ports import free_ports

PORTS = (
    "PORT",
    "UI_PORT",
    "MLFLOW_PORT",
    "DASHBOARD_PORT",
    "HAPROXY_STATS_PORT",
    "FALLBACK_PORT",
)
_START_S = 240


def environment_in(home: Path, **settings: object) -> dict[str, str]:
    """Return the environment of a platform in `home`; `settings` are added by their names in lower case."""
    outside = {
        name: value for name, value in os.environ.items() if not name.startswith(("UNDERTONE_", "RAY_", "MLFLOW_"))
    }
    ports = {f"UNDERTONE_{name}": str(port) for name, port in zip(PORTS, free_ports(len(PORTS)), strict=True)}
    own = {f"UNDERTONE_{name.upper()}": str(value) for name, value in settings.items()}
    return outside | ports | {"UNDERTONE_HOME": str(home)} | own


def command(environment: Mapping[str, str], *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run `undertone` with `arguments` and return what it said."""
    line = [sys.executable, "-m", "cli.main", *arguments]
    done = subprocess.run(
        line,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=_START_S,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert not check or done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
    return done


@dataclass
class RunningPlatform:
    """A platform that is up."""

    environment: dict[str, str]
    home: Path

    @property
    def port(self) -> int:
        return int(self.environment["UNDERTONE_PORT"])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ui_url(self) -> str:
        return f"http://127.0.0.1:{self.environment['UNDERTONE_UI_PORT']}"

    def replicas(self, deployment: str) -> list[psutil.Process]:
        """Return the processes of a deployment's replicas."""
        return replicas_of(deployment, own_processes(self.home))


def replicas_of(deployment: str, processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Return those of `processes` that are replicas of a Serve deployment.

    Ray titles an actor's process `ray::ServeReplica:application:deployment`, and while a method runs, adds its name.
    """
    title = re.compile(rf"ray::ServeReplica:[^:]+:{deployment}(\W|$)")
    return [process for process in processes if title.match(title_of(process))]


def title_of(process: psutil.Process) -> str:
    """Return what a process is called; empty where it is gone."""
    try:
        return " ".join(process.cmdline()).strip()
    except psutil.Error:
        return ""


@contextmanager
def running(home: Path, **settings: object) -> Iterator[RunningPlatform]:
    """Start a platform and end it."""
    environment = environment_in(home, **settings)
    try:
        command(environment, "up")
        yield RunningPlatform(environment, home)
    finally:
        command(environment, "down", check=False)
        for process in own_processes(home):
            process.kill()
