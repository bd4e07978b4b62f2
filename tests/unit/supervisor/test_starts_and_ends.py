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
from serve_app.on_cluster import application
from serve_app.on_cluster.record import ClusterRecord, read_record
from serve_app.on_cluster.standing import RunningApp, RunningServe
from serve_app.supervisor import launch
from serve_app.supervisor.managed_process import LocalProcesses, ManagedProcess
from serve_app.supervisor.process_specs import ProcessSpec
from serve_app.supervisor.processes import marker_of, own_processes
from serve_app.supervisor.restart_policy import REFUSED, RestartPolicy
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
    running = ManagedProcess(part, LocalProcesses(tmp_path), RestartPolicy())

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
        ("", PlatformError, "Serve gave no reason"),
    ],
)
def test_of_what_serve_says_the_error_itself_is_told(message: str, kind: type[Exception], told: str) -> None:
    failure = ray_node.failure_of(message)
    assert isinstance(failure, kind)
    assert told in str(failure)
    assert "\n" not in str(failure)


class FakeServe:
    """Ends an application a few looks after it was told to; keeps what it was told, in order."""

    def __init__(self, *apps: RunningApp) -> None:
        self.apps, self.told, self.looks, self.is_shut_down = list(apps), list[str](), 0, False

    def delete(self, name: str, _blocking: bool = True) -> None:
        self.told.append(name)
        if _blocking:
            self.apps = [app for app in self.apps if app.name != name]

    def standing(self) -> RunningServe:
        self.looks += 1
        if self.looks % 3 == 0:
            self.apps = [app for app in self.apps if app.name not in self.told]
        return RunningServe("0.0.0.0", 8000, (), tuple(self.apps))

    def shutdown(self) -> None:
        self.is_shut_down = True


def fake_serve(monkeypatch: pytest.MonkeyPatch, *apps: RunningApp) -> FakeServe:
    serve = FakeServe(*apps)
    monkeypatch.setattr(application, "serve", serve)
    monkeypatch.setattr(application, "running_serve", serve.standing)
    monkeypatch.setattr(application, "_LOOK_S", 0.001)
    monkeypatch.setattr(application, "_SETTLE_S", 0.01)
    monkeypatch.setattr(application, "_GONE_S", 1.0)
    return serve


def version(number: int) -> RunningApp:
    return RunningApp(f"classifier-v{number}", None, False, None, "RUNNING", "")


def deployed(home: Path, *, started_serve: bool) -> application.ClusterApplication:
    """Return an application of this home's that is remembered there."""
    record = ClusterRecord(address="head:6379", instance=MINE, started_serve=started_serve)
    record.write(PlatformPaths(home).cluster)
    return application.ClusterApplication(Settings(home=home), PlatformPaths(home), record)


@pytest.mark.parametrize("started_serve", [True, False])
def test_the_application_ends_before_its_versions_and_serve_only_if_it_was_started_for_them(
    started_serve: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = RunningApp("undertone", "/", False, MINE, "RUNNING", "")
    serve = fake_serve(monkeypatch, version(2), own, version(1))
    deployed(tmp_path, started_serve=started_serve).remove()
    assert serve.told[:3] == ["undertone", "classifier-v1", "classifier-v2"]
    assert serve.apps == []
    assert serve.is_shut_down is started_serve
    assert not PlatformPaths(tmp_path).cluster.exists()


def test_another_application_that_has_come_instead_stays_and_so_does_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = RunningApp("undertone", "/", True, None, "RUNNING", "")
    serve = fake_serve(monkeypatch, others, version(1))
    deployed(tmp_path, started_serve=True).remove()
    assert serve.told == []
    assert not serve.is_shut_down
    assert not PlatformPaths(tmp_path).cluster.exists()


def test_what_serve_does_not_end_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = RunningApp("undertone", "/", False, MINE, "RUNNING", "")
    serve = fake_serve(monkeypatch, own, version(1))
    monkeypatch.setattr(application, "running_serve", lambda: RunningServe("0.0.0.0", 8000, (), tuple(serve.apps)))
    monkeypatch.setattr(application, "_GONE_S", 0.05)
    with pytest.raises(TimeoutError, match="did not end classifier-v1"):
        deployed(tmp_path, started_serve=True).remove()
    assert read_record(PlatformPaths(tmp_path).cluster)


def test_a_start_that_is_ended_before_it_deploys_ends_what_a_killed_one_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = RunningApp("undertone", "/", False, MINE, "RUNNING", "")
    serve = fake_serve(monkeypatch, left, version(1))
    monkeypatch.setattr(application, "node_ips", lambda: {"127.0.0.1"})
    settings = Settings(home=tmp_path, address=deployed(tmp_path, started_serve=True).record.address)
    new = application.ClusterApplication.to_deploy(settings, PlatformPaths(tmp_path), "a-new-start", replace=False)
    assert serve.apps == [left, version(1)], "it serves on until the new one takes its place"
    assert read_record(PlatformPaths(tmp_path).cluster) == new.record
    new.remove()
    assert serve.apps == []
    assert serve.is_shut_down


def test_a_look_that_fails_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> RunningServe:
        raise RuntimeError("the controller is starting anew")

    known = deployed(tmp_path, started_serve=True)
    monkeypatch.setattr(application, "running_serve", fail)
    known.refresh()
    assert read_record(PlatformPaths(tmp_path).cluster) == known.record
