"""What a job tells its MLflow run: curves with gaps rather than a lost training, pictures, where a version is from."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs the train extra")
pytest.importorskip("matplotlib", reason="training needs the train extra")

from sentiment.datasets import Example, open_datasets
from sentiment.errors import InvalidInput, RegistryUnavailable
from sentiment.labels import TWO_CLASSES
from sentiment.registry.tracking import ended, experiment_id
from sentiment.settings import load_settings
from sentiment.training.config import DistillConfig
from tests.tiny_training import TINY, examples
from train_jobs.train.pictures import confusion_picture, reliability_picture
from train_jobs.train.prepare import RunLocations, find_datasets, held_out_texts
from train_jobs.train.tracked_run import TrackedRun, environment, lineage_of


class FakeRun:
    """Keeps what it is told; is away while `away` is set."""

    run_id = "0" * 32

    def __init__(self) -> None:
        self.points: list[tuple[int, dict[str, float]]] = []
        self.away = False

    def log(self, metrics: dict[str, float], step: int) -> None:
        if self.away:
            raise RegistryUnavailable("the server is away")
        self.points.append((step, dict(metrics)))

    def picture(self, name: str, figure: Any) -> None: ...

    def artifact(self, path: Path, folder: str | None = None) -> None: ...

    def finish(self, status: str = "FINISHED") -> None: ...


@pytest.fixture
def places(tmp_path: Path) -> RunLocations:
    settings = load_settings(home=tmp_path)
    open_datasets(settings).push("toys", examples(), source="tests")
    return RunLocations.of(settings)


def job(**changes: Any) -> Any:
    return SimpleNamespace(config=replace(TINY, **changes))


def test_a_server_that_goes_away_costs_points_of_the_curves_and_one_warning(
    places: RunLocations, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fake = FakeRun()
    run = TrackedRun(job(), tmp_path, places, fake, find_datasets(TINY, places))
    for step in range(5):
        fake.away = step in (1, 2)
        run.take({"step": float(step), "total_steps": 5.0, "loss": 0.5})
    assert [step for step, _ in fake.points] == [0, 3, 4]
    assert fake.points[0][1] == {"loss": 0.5}
    assert len(caplog.records) == 1


def test_the_lineage_names_version_digest_and_teacher(places: RunLocations) -> None:
    asked = job(distill=DistillConfig("models:/sentiment/7"))
    lineage = lineage_of(asked, find_datasets(TINY, places))
    version = places.store.find("toys")
    assert (lineage["ref"], lineage["digest"]) == ("toys@1", version.digest)
    assert lineage["teacher"] == "models:/sentiment/7"


def test_a_password_in_the_registrys_address_is_not_shown(places: RunLocations) -> None:
    shown = replace(places, registry="https://jane:secret@mlflow.example.org")
    assert "secret" not in f"{shown} {shown!r}"


def test_data_without_labels_of_other_labels_or_of_another_normaliser_are_not_trained_on(
    places: RunLocations, monkeypatch: pytest.MonkeyPatch
) -> None:
    places.store.push("plain", [Example("good morning", None)], source="tests")
    with pytest.raises(InvalidInput, match=r"plain@1 has no labels.*--label-column") as caught:
        find_datasets(replace(TINY, data="plain"), places)
    assert caught.value.field == "data"
    assert find_datasets(replace(TINY, validation="toys@1"), places).validation
    two = [Example("so good", "positive"), Example("so bad", "negative")]
    places.store.push("two", two, source="tests", labels=TWO_CLASSES)
    told = r"two@1 has the labels negative, positive; toys@1 has negative, neutral, positive: validate on"
    with pytest.raises(InvalidInput, match=told):
        find_datasets(replace(TINY, validation="two"), places)
    monkeypatch.setattr("train_jobs.train.prepare.CURRENT_NORMALIZER", "3")
    with pytest.raises(InvalidInput, match="normalised by normaliser '2'"):
        find_datasets(TINY, places)


class QuickerElsewhere:
    """An MLflow client beside another process that makes the experiment between this one's look and its attempt."""

    def __init__(self) -> None:
        self.looks = 0

    def get_experiment_by_name(self, name: str) -> Any:
        self.looks += 1
        return SimpleNamespace(experiment_id="7", name=name) if self.looks > 1 else None

    def create_experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException
        from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS

        raise MlflowException(f"{name} is there", error_code=RESOURCE_ALREADY_EXISTS)


def test_two_first_runs_at_once_share_one_experiment() -> None:
    assert experiment_id(QuickerElsewhere(), "undertone-training") == "7"  # type: ignore[arg-type]


def test_a_server_that_is_away_hides_no_other_error() -> None:
    class Away(FakeRun):
        said: str | None = None

        def finish(self, status: str = "FINISHED") -> None:
            self.said = status
            raise RegistryUnavailable("the server is away")

    for error, status in ((InvalidInput("the data are wrong"), "FAILED"), (KeyboardInterrupt(), "KILLED")):
        run = Away()
        with pytest.raises(type(error)), ended(run):  # type: ignore[arg-type]
            raise error
        assert run.said == status
    with pytest.raises(RegistryUnavailable), ended(Away()):  # type: ignore[arg-type]
        pass


def test_the_environment_can_be_written_and_names_torch() -> None:
    found = json.loads(json.dumps(environment()))
    assert {"torch", "ray"} <= set(found["packages"])
    assert found["cpus"] >= 1


def test_the_texts_held_out_are_those_of_the_split(places: RunLocations) -> None:
    held_out = held_out_texts(TINY, places)
    known = {example.text: example.label for example in examples()}
    assert len(held_out) == 18
    assert all(known[text] == label for text, label in held_out)


def test_the_pictures_can_be_drawn() -> None:
    for figure in (
        confusion_picture([[5, 1, 0], [0, 0, 0], [1, 1, 9]], ("negative", "neutral", "positive")),
        reliability_picture([[3, 0.4, 0.3], [9, 0.8, 0.9]], 0.07),
    ):
        stream = io.BytesIO()
        figure.savefig(stream, format="png")
        assert stream.getvalue().startswith(b"\x89PNG")
