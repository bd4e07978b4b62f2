"""A run's own folder and configuration: one process at it, the same data and teacher in all of its lives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the train extra")

from sentiment.datasets import open_datasets
from sentiment.errors import Conflict, NotFound
from sentiment.settings import load_settings
from sentiment.training.config import DistillConfig
from sentiment.version import read_version
from tests.fake_registry import FakeRegistry
from tests.tiny_model import build_tiny_version
from tests.tiny_training import TINY, examples
from train_jobs import prepare
from train_jobs.prepare import Places, pinned
from train_jobs.run_folder import Begun, keep_begun, keep_tracked_as, run_folder, tracked_as
from train_jobs.storage import named_storage

CONFIG = TINY.to_mapping()


def test_two_processes_are_never_at_one_run(tmp_path: Path) -> None:
    told = pytest.raises(Conflict, match=r"another process is at the run 'one'.*--name")
    with run_folder(tmp_path, "one", CONFIG), run_folder(tmp_path, "other", CONFIG), told:
        run_folder(tmp_path, "one", CONFIG).__enter__()
    with run_folder(tmp_path, "one", CONFIG) as folder:
        assert folder == tmp_path / "runs" / "one"


def test_another_configuration_is_told_before_anything_of_the_run_is_touched(tmp_path: Path) -> None:
    with run_folder(tmp_path, "one", CONFIG) as folder:
        keep_tracked_as(folder, "7" * 32)
    with pytest.raises(Conflict, match=r"learning_rate 0\.005, not 0\.1"):
        run_folder(tmp_path, "one", replace(TINY, learning_rate=0.1).to_mapping()).__enter__()
    with run_folder(tmp_path, "one", replace(TINY, threads=7).to_mapping()) as folder:
        assert tracked_as(folder) == "7" * 32


def test_a_run_goes_on_with_its_own_workers_and_its_own_storage_only(tmp_path: Path) -> None:
    begun = Begun(2, "s3://bucket/runs")
    with run_folder(tmp_path, "one", CONFIG, begun) as folder:
        keep_begun(folder, begun)
    for other, told in (
        (Begun(1, "s3://bucket/runs"), r"--workers 2, not 1: go on with --workers 2"),
        (Begun(2), r"in s3://bucket/runs, not in home: go on with --storage s3://bucket/runs, or .* another --name"),
    ):
        with pytest.raises(Conflict, match=told):
            run_folder(tmp_path, "one", CONFIG, other).__enter__()
    with run_folder(tmp_path, "one", CONFIG, begun):
        pass
    with run_folder(tmp_path, "other", CONFIG, Begun()) as folder:
        keep_begun(folder, Begun())
    with pytest.raises(Conflict, match=r"in home, not in /elsewhere: go on without --storage"):
        run_folder(tmp_path, "other", CONFIG, Begun(1, "/elsewhere")).__enter__()


def test_what_was_asked_for_in_vain_binds_a_run_to_nothing(tmp_path: Path) -> None:
    with run_folder(tmp_path, "one", CONFIG, Begun(8)):
        pass  # and the cluster has no room for eight
    with run_folder(tmp_path, "one", CONFIG, Begun(2)) as folder:
        keep_begun(folder, Begun(2))
    with pytest.raises(Conflict, match="--workers 2"):
        run_folder(tmp_path, "one", CONFIG, Begun(8)).__enter__()


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
    def full(path: Path, text: str, **_: object) -> None:
        path.touch()
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", full)
        with pytest.raises(OSError, match="space"):
            run_folder(tmp_path, "one", CONFIG).__enter__()
    with run_folder(tmp_path, "one", CONFIG) as folder:
        assert tracked_as(folder) is None


def test_data_that_are_pushed_while_a_run_lasts_are_not_its_own(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    store, places = open_datasets(settings), Places.of(settings)
    store.push("toys", examples(30), source="tests")
    begun = pinned(replace(TINY, data="toys@latest", validation="toys"), places)
    assert (begun.data, begun.validation) == ("toys@1", "toys@1")
    store.push("toys", examples(60), source="tests")
    assert pinned(begun, places) == begun
    assert pinned(TINY, places) == TINY
    assert pinned(replace(TINY, data="toys"), places).data == "toys@2"


def test_a_teacher_s_alias_is_its_number_of_when_the_run_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(home=tmp_path)
    open_datasets(settings).push("toys", examples(30), source="tests")
    registry, tiny = FakeRegistry(), read_version(build_tiny_version(tmp_path / "version"))
    monkeypatch.setattr(prepare, "Registry", lambda uri: registry)

    def teacher(named: str) -> str:
        found = pinned(replace(TINY, distill=DistillConfig(named)), Places.of(settings)).distill
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
    found = pinned(replace(TINY, backbone="mean/model", distill=lesson), Places.of(settings))
    assert found.backbone == str(tmp_path / "mean/model")
    assert found.distill == DistillConfig(str(tmp_path / "mean/version"), unlabelled=str(tmp_path / "more.jsonl"))
    there = DistillConfig("models:/sentiment/8", unlabelled="s3://texts/more.jsonl")
    away = replace(TINY, backbone="distilbert/distilbert-base-uncased", distill=there)
    assert pinned(away, Places.of(settings)) == away
