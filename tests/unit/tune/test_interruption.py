"""A search that a signal ends: its exit status, what it had found by then, and which trials have no result."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

pytest.importorskip("torch", reason="training needs the train extra")
pytest.importorskip("ray", reason="training needs the train extra")

import cli.offline.tune as command
from cli.main import app
from sentiment.errors import InvalidInput, RegistryUnavailable
from sentiment.settings import Settings
from tune import search as job
from tune.interruption import Interruption, SearchInterrupted, interruptible
from tune.options import SearchOptions
from tune.plan import HyperparameterSearch, Trial, is_cut_off
from tune.progress.lines import interrupted_lines
from tune.results import MlflowTrials, plain, write_best
from tune.search import search_of

SPACE = json.dumps({"space": {"learning_rate": {"choice": [0.1, 0.01, 0.001]}}})


def search(method: str = "grid", trials: int | None = None) -> HyperparameterSearch:
    return search_of(SearchOptions(space=SPACE, search=method, data="toys@1", model="cnn", name="mine", trials=trials))


def trial(rate: float, state: Any = "finished", score: float | None = 0.7) -> Trial:
    return Trial(f"mine-{rate}", {"learning_rate": rate}, state, score, 2, 1.5)


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=str,
)
def test_every_signal_that_ends_a_process_interrupts_with_the_status_of_it(number: signal.Signals, status: int) -> None:
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    with interruptible() as interruption:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        assert interruption.status == status
    assert {each: signal.getsignal(each) for each in before} == before


def test_sigterm_goes_to_whoever_takes_ctrl_c_meanwhile() -> None:
    orders: list[int] = []
    with interruptible() as interruption:
        signal.signal(signal.SIGINT, lambda number, _: orders.append(number))
        os.kill(os.getpid(), signal.SIGTERM)
    assert (orders, interruption.status) == ([signal.SIGINT], 143)


def test_what_is_started_to_outlive_its_terminal_does() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_search_in_a_thread_leaves_the_signals_alone() -> None:
    found: list[Any] = []

    def run() -> None:
        with interruptible():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGTERM)]


def test_a_signal_before_the_first_trial_ends_the_search_with_its_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "_searched", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SearchInterrupted) as caught:
        job.run_search(search(), Settings(home=tmp_path), None, tmp_path / "best.yaml")
    assert (caught.value.status, caught.value.found) == (143, None)


@pytest.mark.parametrize(
    ("trials", "cut"),
    [
        ([trial(0.1), trial(0.01), trial(0.001, "failed", None)], False),
        ([trial(0.1), trial(0.01), trial(0.001, "unfinished", None)], True),
        ([trial(0.1), trial(0.01)], True),
        ([], True),
    ],
)
def test_a_search_is_cut_off_where_a_trial_is_unfinished_or_was_not_begun(trials: list[Trial], cut: bool) -> None:
    assert is_cut_off(search(), trials) is cut


def test_what_was_found_before_the_interruption_is_kept_and_the_rest_is_named(tmp_path: Path) -> None:
    trials = [trial(0.1), trial(0.01, "unfinished", 0.9)]
    found = plain(search(), trials, tmp_path / "best.yaml", "7")
    write_best(found, tmp_path / "best.yaml")
    assert yaml.safe_load((tmp_path / "best.yaml").read_text())["learning_rate"] == 0.01
    assert (found["interrupted"], found["not_begun"]) == (True, [{"learning_rate": 0.001}])
    first, *lines = interrupted_lines("mine", json.loads(json.dumps(found)))
    assert "1 of 3 trials had ended" in first
    assert "--name mine" in first
    assert lines == ["  learning_rate 0.01: cut off after 2 validations", "  learning_rate 0.001: not begun"]


def test_an_interruption_before_the_first_score_is_no_error_of_the_search(tmp_path: Path) -> None:
    found = plain(search(), [trial(0.1, "unfinished", None)], tmp_path / "best.yaml", None)
    assert (found["best"], found["config"], len(found["not_begun"])) == (None, None, 2)
    with pytest.raises(InvalidInput, match="trials has a score"):
        plain(search(), [trial(rate, "failed", None) for rate in (0.1, 0.01, 0.001)], tmp_path / "best.yaml", None)


def test_points_that_were_not_chosen_yet_are_counted(tmp_path: Path) -> None:
    found = plain(search("optuna"), [trial(0.1)], tmp_path / "best.yaml", None)
    assert found["not_begun"] == [None, None]
    assert interrupted_lines("mine", found)[1:] == ["  2 trials: not begun"]


def test_of_many_points_some_are_named_and_the_others_counted() -> None:
    found = {"trials": [], "not_begun": [{"seed": number} for number in range(25)]}
    lines = interrupted_lines("mine", found)
    assert (lines[1], lines[20], lines[21:]) == ("  seed 0: not begun", "  seed 19: not begun", ["  5 more: not begun"])


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_shows_what_there_is_and_ends_with_the_signal_s_status(
    as_json: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = plain(search(), [trial(0.1), trial(0.01, "unfinished", None)], tmp_path / "best.yaml", None)

    def ended(*_: object) -> None:
        raise SearchInterrupted(143, found)

    monkeypatch.setattr(command, "_here", ended)
    monkeypatch.setattr(command, "with_registry", lambda settings: settings)
    options = ["--space", SPACE, "--data", "toys@1", "--model", "cnn", "--home", str(tmp_path)]
    done = CliRunner().invoke(app, ["tune", *options, *(["--json"] if as_json else [])])
    assert done.exit_code == 143
    if as_json:
        assert json.loads(done.stdout) == json.loads(json.dumps(found))
    else:
        assert "unfinished" in done.stdout
    assert "0.001: not begun" in done.stderr


def test_an_interrupted_job_of_a_cluster_says_why_it_has_no_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ended(*_: object) -> None:
        raise SearchInterrupted(143)

    monkeypatch.setenv("UNDERTONE_HOME", str(tmp_path))
    monkeypatch.setattr(job, "run_search", ended)
    with pytest.raises(SystemExit) as caught:
        job.run_from_command_line("", ["--space", SPACE, "--data", "toys@1", "--name", "mine"])
    assert caught.value.code == 143
    assert capsys.readouterr().err.splitlines()[-1].startswith("Error: Search mine was interrupted")


class Runs:
    """Stands for MLflow: remembers how each run ended."""

    def __init__(self) -> None:
        self.ends: dict[str, str] = {}

    def run(self, name: str, *_: object, **__: object) -> Any:
        def finish(status: str = "FINISHED") -> None:
            self.ends[name] = status
            if name == "gone":
                raise RegistryUnavailable("away")

        return type("Run", (), {"run_id": name, "finish": staticmethod(finish)})


def test_the_runs_of_trials_that_were_cut_off_are_killed_and_no_others(tmp_path: Path) -> None:
    from train_jobs.runtime.locations import Location

    runs = Runs()
    tracked = MlflowTrials(runs, search(), {"toys@1": "digest"}, Location(str(tmp_path)))  # type: ignore[arg-type]
    for name in ("ended", "failed", "gone", "cut"):
        tracked.started(name, {"learning_rate": 0.1})
    tracked.ended("ended", False)
    tracked.ended("failed", True)
    tracked.cut_off()
    assert runs.ends == {"ended": "FINISHED", "failed": "FAILED", "gone": "KILLED", "cut": "KILLED"}


def test_an_interruption_has_the_status_of_ctrl_c_unless_another_signal_came() -> None:
    assert Interruption().status == 130
