"""How a platform starts and ends as processes: signals at any moment, refusals, and what `undertone down` ends."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from sentiment.environment import process_environment
from sentiment.errors import InvalidSettings, PlatformError
from sentiment.settings import Settings
from serve_app import ray_node
from serve_app.on_cluster.record import ClusterRecord, read_record
from serve_app.supervisor import launch
from serve_app.supervisor.managed_process import LocalHands, ManagedProcess
from serve_app.supervisor.process_specs import ProcessSpec
from serve_app.supervisor.processes import marker_of, own_processes
from serve_app.supervisor.restart_policy import REFUSED, Patience
from serve_app.supervisor.state import PlatformPaths

MINE = "instance-of-mine"


def test_down_tells_of_a_cluster_that_does_not_let_it_end_what_is_there_and_remembers_it(tmp_path: Path) -> None:
    places = PlatformPaths(tmp_path)
    places.make()
    record = ClusterRecord(address="no-such-address", instance=MINE)
    record.write(places.cluster)
    with pytest.raises(PlatformError, match="at no-such-address could not be ended") as caught:
        launch.stop(Settings(home=tmp_path), lambda _: None)
    assert str(places.cluster) in str(caught.value)
    assert read_record(places.cluster) == record


def test_down_ends_a_supervisor_that_has_said_nothing_yet_and_waits_for_it(tmp_path: Path) -> None:
    code = (
        "import pathlib, signal, sys, time\n"
        "def end(*_):\n    time.sleep(0.5)\n    pathlib.Path(sys.argv[1]).touch()\n    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\nprint('up', flush=True)\ntime.sleep(60)\n"
    )
    ended = tmp_path / "ended-well"
    environment = process_environment(Settings(), marker_of(tmp_path, launch.SUPERVISOR))
    with subprocess.Popen([sys.executable, "-c", code, ended], env=environment, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        assert launch.stop(Settings(home=tmp_path), lambda _: None)
    assert ended.exists()
    assert own_processes(tmp_path) == []
    assert not launch.stop(Settings(home=tmp_path), lambda _: None)


@pytest.mark.parametrize("module", ["serve_app.ray_node", "serve_app.supervisor.supervisor"])
def test_a_signal_is_heeded_before_anything_is_started(module: str, tmp_path: Path) -> None:
    code = f"""
import os, signal, sys
import {module} as module
def started(*arguments, **options):
    os.kill(os.getpid(), signal.SIGTERM)  # at the first line that does anything
    return load(*arguments, **options)
load, module.load_settings = module.load_settings, started
module.run_here = lambda settings, instance, stop: 40 + stop.is_set()
module.supervise = lambda settings, places, start, stop: 40 + stop.is_set()
sys.exit(module.main([]))
"""
    environment = process_environment(Settings(home=tmp_path), {})
    done = subprocess.run([sys.executable, "-c", code], env=environment, timeout=60, check=False)
    assert done.returncode == 41


def test_a_part_that_refuses_is_not_tried_again_and_its_last_line_is_told(tmp_path: Path) -> None:
    code = f"import sys; print('the cluster runs another already'); sys.exit({REFUSED})"
    part = ProcessSpec("ray", (sys.executable, "-c", code), {}, tmp_path / "ray.log", lambda: False)
    running = ManagedProcess(part, LocalHands(tmp_path), Patience())

    def step_on() -> None:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            running.step()
            time.sleep(0.05)

    with pytest.raises(PlatformError, match=r"^the cluster runs another already$"):
        step_on()


@pytest.mark.parametrize(
    ("message", "kind", "told"),
    [
        (
            "Traceback …\nsentiment.errors.InvalidSettings: UNDERTONE_SECRET is not set on this node, so.\nAgain.",
            InvalidSettings,
            "UNDERTONE_SECRET is not set on this node, so.",
        ),
        (
            "Traceback …\nsentiment.errors.StoreUnavailable: the text store does not answer\nmore",
            PlatformError,
            "sentiment.errors.StoreUnavailable: the text store does not answer",
        ),
        ("no reason at all", PlatformError, "no reason at all"),
        ("", PlatformError, "Serve said nothing"),
    ],
)
def test_of_what_serve_says_the_error_itself_is_told(message: str, kind: type[Exception], told: str) -> None:
    failure = ray_node.failure_of(message)
    assert isinstance(failure, kind)
    assert told in str(failure)
    assert "\n" not in str(failure)
