"""A run's own folder and configuration: one process at it, the same data and teacher in all of its lives."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs the train extra")

from sentiment.datasets import open_datasets
from sentiment.datasets.storage import folder as folder_module
from sentiment.errors import Conflict, NotFound, Unavailable
from sentiment.settings import load_settings
from sentiment.training.config import DistillConfig
from sentiment.version import read_version
from tests.fake_registry import FakeRegistry
from tests.tiny_model import build_tiny_version
from tests.tiny_training import TINY, examples
from train_jobs.runs import run_folder as run_folder_module
from train_jobs.runs.lease import LEASE_S, Holder, Lease
from train_jobs.runs.run_folder import RunStart, run_folder
from train_jobs.runtime.signals import signal_handlers_restored
from train_jobs.runtime.storage import named_storage
from train_jobs.train import prepare
from train_jobs.train.prepare import RunLocations, with_fixed_versions

CONFIG = TINY.to_mapping()


def taken(home: Path, name: str = "one", config: Any = None, begun: RunStart | None = None) -> Any:
    """Return the context of a run of the head whose home this is."""
    return run_folder(load_settings(home=home), name, config or CONFIG, begun)


def test_two_processes_are_never_at_one_run(tmp_path: Path) -> None:
    told = pytest.raises(Conflict, match=r"another process holds the run 'one' \(process \d+ on .*--name")
    with taken(tmp_path), taken(tmp_path, "other"), told:
        taken(tmp_path).__enter__()
    with taken(tmp_path) as held:
        assert held.folder == tmp_path / "runs" / "one"


def test_another_configuration_is_told_before_anything_of_the_run_is_touched(tmp_path: Path) -> None:
    with taken(tmp_path) as held:
        held.keep_tracked_as("7" * 32)
    with pytest.raises(Conflict, match=r"learning_rate 0\.005, not 0\.1"):
        taken(tmp_path, config=replace(TINY, learning_rate=0.1).to_mapping()).__enter__()
    with taken(tmp_path, config=replace(TINY, threads=7).to_mapping()) as held:
        assert held.tracked_as() == "7" * 32


def test_a_run_goes_on_with_its_own_workers_and_its_own_storage_only(tmp_path: Path) -> None:
    kept, elsewhere = str(tmp_path / "kept"), str(tmp_path / "elsewhere")
    begun = RunStart(2, kept)
    with taken(tmp_path, begun=begun) as held:
        held.keep_begun(begun)
    for other, told in (
        (RunStart(1, kept), r"--workers 2, not 1: resume it with --workers 2"),
        (RunStart(2), rf"in {kept}, not in home: resume it with --storage {kept}, or .* another --name"),
    ):
        with pytest.raises(Conflict, match=told):
            taken(tmp_path, begun=other).__enter__()
    with taken(tmp_path, begun=begun):
        pass
    with taken(tmp_path, "other", begun=RunStart()) as held:
        held.keep_begun(RunStart())
    with pytest.raises(Conflict, match=rf"in home, not in {elsewhere}: resume it without --storage"):
        taken(tmp_path, "other", begun=RunStart(1, elsewhere)).__enter__()
    assert not Path(elsewhere).exists()


def test_another_head_goes_on_with_the_run_of_a_storage_as_it_was_begun(tmp_path: Path) -> None:
    begun = RunStart(2, str(tmp_path / "kept"))
    with taken(tmp_path / "first", begun=begun) as held:
        held.keep_begun(begun)
        held.keep_tracked_as("7" * 32)
        with pytest.raises(Conflict, match="another process holds the run"):
            taken(tmp_path / "second", begun=begun).__enter__()
    with taken(tmp_path / "second", begun=begun) as held:
        assert held.tracked_as() == "7" * 32
        assert held.folder == tmp_path / "second" / "runs" / "one"
    with pytest.raises(Conflict, match="--workers 2"):
        taken(tmp_path / "third", begun=replace(begun, workers=1)).__enter__()
    with pytest.raises(Conflict, match="learning_rate"):
        taken(tmp_path / "third", config=replace(TINY, learning_rate=0.1).to_mapping(), begun=begun).__enter__()


def test_a_run_that_was_known_in_home_alone_is_still_the_same_run(tmp_path: Path) -> None:
    begun, place = RunStart(1, str(tmp_path / "kept")), tmp_path / "runs" / "one"
    place.mkdir(parents=True)
    (place / "config.json").write_text(json.dumps(CONFIG))
    (place / "mlflow-run").write_text("7" * 32)
    with taken(tmp_path, begun=begun) as held:
        assert held.tracked_as() == "7" * 32
    with pytest.raises(Conflict, match="seed"):
        taken(tmp_path, config=replace(TINY, seed=9).to_mapping(), begun=begun).__enter__()


def test_a_storage_that_cannot_be_written_is_told_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match=r"cannot be .*or name another --storage"):
        taken(tmp_path, begun=RunStart(1, str(tmp_path / "file"))).__enter__()


def test_a_head_that_has_lost_its_run_is_interrupted_and_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_folder_module, "BEAT_S", 0.05)
    names: list[str] = []

    def lose() -> None:
        with taken(tmp_path) as held:
            late = Lease(held.shared, "one", lambda: time.time() + 2 * LEASE_S, Holder("elsewhere", "another", 7, 1.0))
            late.take()
            names.extend(held.shared.names("lease"))
            time.sleep(30)

    with pytest.raises(Conflict, match="elsewhere has taken over the run 'one'"):
        lose()
    assert names == ["00000001.json", "00000002.json"]


def test_a_lost_run_is_told_of_even_where_another_takes_the_interrupt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_folder_module, "BEAT_S", 0.05)
    interrupted: list[int] = []

    def lose() -> None:
        with taken(tmp_path) as held:
            late = Lease(held.shared, "one", lambda: time.time() + 2 * LEASE_S, Holder("elsewhere", "another", 7, 1.0))
            late.take()
            for _ in range(100):
                if interrupted:
                    return
                time.sleep(0.05)

    with signal_handlers_restored():
        signal.signal(signal.SIGINT, lambda number, _: interrupted.append(number))
        with pytest.raises(Conflict, match="elsewhere has taken over the run 'one'"):
            lose()


def test_what_was_asked_for_in_vain_binds_a_run_to_nothing(tmp_path: Path) -> None:
    with taken(tmp_path, begun=RunStart(8)):
        pass  # and the cluster has no room for eight
    with taken(tmp_path, begun=RunStart(2)) as held:
        held.keep_begun(RunStart(2))
    with pytest.raises(Conflict, match="--workers 2"):
        taken(tmp_path, begun=RunStart(8)).__enter__()


def test_one_storage_is_one_however_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(home=tmp_path)
    monkeypatch.chdir(tmp_path)
    assert named_storage(None, settings) is None
    assert named_storage("runs", settings) is named_storage(str(tmp_path / "runs"), settings) is None
    assert named_storage("kept", settings) == str(tmp_path / "kept")
    assert named_storage("s3://bucket/runs/", settings) == "s3://bucket/runs"


def test_a_disk_that_is_full_leaves_no_half_of_what_a_run_is_known_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        path.touch()
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(folder_module, "_write", full)
        with pytest.raises(Unavailable, match="No space left"):
            taken(tmp_path).__enter__()
    with taken(tmp_path) as held:
        assert held.tracked_as() is None


def test_data_that_are_pushed_while_a_run_lasts_are_not_its_own(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    store, places = open_datasets(settings), RunLocations.of(settings)
    store.push("toys", examples(30), source="tests")
    begun = with_fixed_versions(replace(TINY, data="toys@latest", validation="toys"), places)
    assert (begun.data, begun.validation) == ("toys@1", "toys@1")
    store.push("toys", examples(60), source="tests")
    assert with_fixed_versions(begun, places) == begun
    assert with_fixed_versions(TINY, places) == TINY
    assert with_fixed_versions(replace(TINY, data="toys"), places).data == "toys@2"


def test_a_teacher_s_alias_is_its_number_of_when_the_run_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(home=tmp_path)
    open_datasets(settings).push("toys", examples(30), source="tests")
    registry, tiny = FakeRegistry(), read_version(build_tiny_version(tmp_path / "version"))
    monkeypatch.setattr(prepare, "Registry", lambda uri: registry)

    def teacher(named: str) -> str:
        found = with_fixed_versions(replace(TINY, distill=DistillConfig(named)), RunLocations.of(settings)).distill
        assert found
        return found.teacher

    with pytest.raises(NotFound):
        teacher("champion")
    registry.register(tiny, "trained")
    registry.set_alias("sentiment", "champion", 1)
    assert teacher("models:/sentiment@champion") == teacher("champion") == "models:/sentiment/1"
    assert teacher("models:/sentiment/8") == "models:/sentiment/8"
    assert teacher(str(tmp_path / "version")) == str(tmp_path / "version")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "champion").mkdir()
    assert teacher("champion") == "models:/sentiment/1", "an alias is no folder, whatever lies about"
    registry.close()


def test_folders_and_files_are_named_by_their_whole_paths_for_workers_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(home=tmp_path)
    open_datasets(settings).push("toys", examples(30), source="tests")
    for name in ("mean/version", "mean/model"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "more.jsonl").touch()
    monkeypatch.chdir(tmp_path)
    lesson = DistillConfig("mean/version", unlabelled="more.jsonl")
    found = with_fixed_versions(replace(TINY, backbone="mean/model", distill=lesson), RunLocations.of(settings))
    assert found.backbone == str(tmp_path / "mean/model")
    assert found.distill == DistillConfig(str(tmp_path / "mean/version"), unlabelled=str(tmp_path / "more.jsonl"))
    there = DistillConfig("models:/sentiment/8", unlabelled="s3://texts/more.jsonl")
    away = replace(TINY, backbone="distilbert/distilbert-base-uncased", distill=there)
    assert with_fixed_versions(away, RunLocations.of(settings)) == away
