"""A training in its trial's own process: its checkpoints, what is tried again, how one that was cut off goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the train extra")
pytest.importorskip("ray", reason="training needs the train extra")

import torch

from sentiment.datasets import open_datasets
from sentiment.errors import InvalidInput, NotFound, Unavailable, UndertoneError
from sentiment.models.zoo import save_model
from sentiment.settings import Settings
from sentiment.training.config import TrainConfig
from tests.tiny_training import TINY, examples, tiny_start
from train_jobs.runtime.locations import Location
from train_jobs.train.prepare import RunLocations
from tune.trial.checkpoints import TrialCheckpoints
from tune.trial.training import train_in_process, tried_again

#: An encoder of one layer, from the backbone that `places` has.
CONFIG = replace(TINY, model="minilm", epochs=4)


class Killed(BaseException):
    """Stands for the end of a process in the middle of its work."""


def write(text: str) -> Callable[[Path], None]:
    def fill(folder: Path) -> None:
        (folder / "model").mkdir()
        (folder / "model" / "weights").write_text(text)
        (folder / "state").write_text(text)

    return fill


def names(place: Location) -> list[str]:
    return sorted(path.name for path in Path(place.uri).glob("checkpoint_*"))


def test_the_best_checkpoints_and_the_latest_are_kept(tmp_path: Path) -> None:
    place = Location(str(tmp_path))
    checkpoints = TrialCheckpoints(place, 2)
    assert (checkpoints.latest, checkpoints.best) == (None, None)
    for step, score in enumerate([0.3, 0.9, 0.5, 0.8, 0.1], 1):
        checkpoints.keep({"step": step, "score": score}, step, write(str(step)))
    assert names(place) == ["checkpoint_00000002", "checkpoint_00000004", "checkpoint_00000005"]
    again = TrialCheckpoints(place, 2)
    assert (again.best.figures["score"], again.latest.validations) == (0.9, 5)
    with again.folder_of(again.latest) as folder:
        assert ((folder / "state").read_text(), (folder / "model" / "weights").read_text()) == ("5", "5")


def test_a_checkpoint_between_validations_is_the_latest_and_never_the_best(tmp_path: Path) -> None:
    checkpoints = TrialCheckpoints(Location(str(tmp_path)), 1)
    checkpoints.keep({"step": 4, "score": -0.7}, 1, write("4"))
    checkpoints.keep({"step": 6}, 1, write("6"))
    assert (checkpoints.best.figures["step"], checkpoints.latest.figures["step"]) == (4, 6)
    checkpoints.keep({"step": 8, "score": -0.6}, 2, write("8"))
    assert names(Location(str(tmp_path))) == ["checkpoint_00000008"]


def test_a_checkpoint_that_was_cut_off_is_not_listed_and_is_written_anew(tmp_path: Path) -> None:
    checkpoints = TrialCheckpoints(Location(str(tmp_path)), 1)
    checkpoints.keep({"step": 1, "score": 0.5}, 1, write("whole"))

    def cut(folder: Path) -> None:
        write("cut")(folder)
        raise Killed

    with pytest.raises(Killed):
        checkpoints.keep({"step": 2, "score": 0.6}, 2, cut)
    (tmp_path / ".checkpoint_00000002.7.draft" / "model").mkdir(parents=True)  # as a killed process leaves one
    again = TrialCheckpoints(Location(str(tmp_path)), 1)
    assert not list(tmp_path.glob(".*"))
    assert again.latest.figures["step"] == 1
    again.keep({"step": 2, "score": 0.6}, 2, write("whole again"))
    with again.folder_of(again.latest) as folder:
        assert (folder / "state").read_text() == "whole again"


@pytest.mark.parametrize("moment", ["write", "remove"])
def test_a_checkpoint_that_is_listed_is_there_whenever_its_process_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def killed(*_: object) -> None:
        raise Killed

    checkpoints = TrialCheckpoints(Location(str(tmp_path)), 1)
    checkpoints.keep({"step": 1, "score": 0.5}, 1, write("1"))
    with monkeypatch.context() as patched:
        patched.setattr(Location, moment, killed)
        with pytest.raises(Killed):
            checkpoints.keep({"step": 2, "score": 0.6}, 2, write("2"))
    again = TrialCheckpoints(Location(str(tmp_path)), 1)
    with again.folder_of(again.latest) as latest, again.folder_of(again.best) as best:
        assert latest == best
        assert (latest / "state").read_text() == str(again.latest.validations)


def test_a_list_of_checkpoints_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "checkpoints.json").write_text("[{")
    with pytest.raises(Unavailable, match=r"checkpoints\.json is damaged"):
        TrialCheckpoints(Location(str(tmp_path)), 1)


class LoadFailure:
    """Raises one error after another, then returns."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.calls = list(errors), 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "trained"


def test_what_may_mend_itself_is_tried_again_so_many_times() -> None:
    waits: list[float] = []
    train = LoadFailure(Unavailable("S3 is away"), RuntimeError("no memory"))
    assert tried_again(train, "s-1", 2, waits.append) == "trained"
    assert (train.calls, len(waits)) == (3, 2)


@pytest.mark.parametrize("error", [InvalidInput("diverged", "learning_rate"), NotFound("no data")], ids=str)
def test_what_no_second_try_would_mend_is_tried_once(error: UndertoneError) -> None:
    train = LoadFailure(error)
    with pytest.raises(type(error)):
        tried_again(train, "s-1", 2, lambda _: None)
    assert train.calls == 1


def test_a_training_that_fails_too_often_says_why_it_did_the_last_time() -> None:
    train = LoadFailure(*[RuntimeError("DataLoader: Cannot allocate memory")] * 3)
    with pytest.raises(Unavailable, match=r"Cannot allocate memory.*fewer batch_tokens"):
        tried_again(train, "s-1", 2, lambda _: None)
    assert train.calls == 3


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> RunLocations:
    home = tmp_path_factory.mktemp("home")
    settings = Settings(home=home)
    open_datasets(settings).push("toys", examples(90), source="tests")
    save_model(tiny_start(), home / "backbone")
    return RunLocations.of(settings)


def trained(
    places: RunLocations, folder: Path, end_after: int | None = None, config: TrainConfig = CONFIG
) -> tuple[list[int], dict[str, float]]:
    """Train in `folder`, and return the numbers of the validations told of, and the best figures."""
    told: list[int] = []

    def validated(figures: Mapping[str, float], number: int) -> None:
        assert 0 <= figures["score"] <= 1
        told.append(number)
        if number == end_after:
            raise Killed

    config = replace(config, backbone=str(Path(places.home) / "backbone"))
    checkpoints = TrialCheckpoints(Location(str(folder)), config.keep_checkpoints)
    try:
        return told, train_in_process(config, "s-1", places, checkpoints, 1, validated)
    except Killed:
        return told, {}


def weights(folder: Path) -> bytes:
    listed = json.loads((folder / "checkpoints.json").read_text())
    return (folder / listed[-1]["name"] / "model" / "model.safetensors").read_bytes()


def test_a_trial_that_is_cut_off_goes_on_and_ends_with_the_same_weights(places: RunLocations, tmp_path: Path) -> None:
    numbers, best = trained(places, tmp_path / "whole")
    assert numbers == [1, 2, 3, 4]
    assert best["score"] == best["validation_macro_recall"] > 0.5
    assert trained(places, tmp_path / "cut", end_after=2) == ([1, 2], {})
    numbers, resumed = trained(places, tmp_path / "cut")
    assert numbers == [3, 4]
    assert {**resumed, "seconds": 0} == {**best, "seconds": 0}
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole")
    assert trained(places, tmp_path / "cut")[0] == []  # all is done: its best is all that is left to tell


def test_a_trial_takes_its_own_threads_whatever_the_one_before_it_in_the_process_took(
    places: RunLocations, tmp_path: Path
) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(before + 1)
        trained(places, tmp_path)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
