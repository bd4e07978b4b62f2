"""What a job on a cluster is told of the settings here: whoever may look at its dashboard reads that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray", reason="training needs the train extra")
import ray.job_submission

from sentiment.errors import InvalidInput, InvalidSettings
from sentiment.settings import Settings
from train_jobs.runtime.submit import submit

HEAD = "http://head:8265"


class Dashboard:
    """Stands for a cluster's dashboard, and remembers what it is sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def submit_job(self, **job: Any) -> str:
        self.sent.append(job)
        return "job_7"

    async def tail_job_logs(self, job: str) -> AsyncIterator[str]:
        yield f"{job} runs\n"


@pytest.fixture
def dashboard(monkeypatch: pytest.MonkeyPatch) -> Dashboard:
    found = Dashboard()
    monkeypatch.setattr(ray.job_submission, "JobSubmissionClient", lambda address: found)
    return found


def test_a_job_is_told_where_runs_and_datasets_are_and_no_secret(dashboard: Dashboard, tmp_path: Path) -> None:
    places = {"tracking_uri": "http://mlflow:5000", "datasets": "s3://bucket/sets", "s3_endpoint": "http://s3:9000"}
    settings = Settings(home=tmp_path, secret="s" * 32, mongo_uri="mongodb://jane:sesame@mongo", **places)
    assert list(submit("train_jobs.train", ["--data", "a b"], HEAD, settings)) == ["job_7 runs"]
    [job] = dashboard.sent
    assert job["runtime_env"] == {"env_vars": {f"UNDERTONE_{name.upper()}": value for name, value in places.items()}}
    assert job["entrypoint"].endswith("python -m train_jobs.train --data 'a b'")


@pytest.mark.parametrize(
    ("field", "value", "remedy"),
    [
        ("tracking_uri", "http://jane:sesame@mlflow:5000", "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"),
        ("s3_endpoint", "http://jane:sesame@mlflow:5000", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_a_login_is_not_sent_with_a_job_and_its_place_is_named(
    field: str, value: str, remedy: str, dashboard: Dashboard, tmp_path: Path
) -> None:
    with pytest.raises(InvalidSettings) as caught:
        list(submit("train_jobs.train", [], HEAD, Settings(home=tmp_path, **{field: value})))
    variable = f"UNDERTONE_{field.upper()}"
    assert caught.value.field == variable
    assert f"{variable} holds a login" in str(caught.value)
    assert f"{variable}=http://mlflow:5000" in str(caught.value)
    assert remedy in str(caught.value)
    assert "sesame" not in str(caught.value)
    assert dashboard.sent == []


def test_a_command_with_a_secret_is_not_sent(dashboard: Dashboard, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="holds a login or a secret") as caught:
        list(submit("train_jobs.score", ["s3://jane:sesame@bucket"], HEAD, Settings(home=tmp_path)))
    assert "sesame" not in str(caught.value)
    assert dashboard.sent == []


def test_what_home_keeps_to_itself_stays_behind_when_the_folder_around_it_is_sent(
    dashboard: Dashboard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERTONE_SECRET_FILE", str(tmp_path / "hmac-key"))
    list(submit("train_jobs.train", [], HEAD, Settings.model_construct(home=tmp_path / "home"), str(tmp_path)))
    [job] = dashboard.sent
    assert job["runtime_env"]["working_dir"] == str(tmp_path)
    assert {"/home/secret", "/home/ray_token", "/home/undertone.db", "/hmac-key"} <= set(job["runtime_env"]["excludes"])
    list(
        submit("train_jobs.train", [], HEAD, Settings.model_construct(home=Path("/elsewhere")), str(tmp_path / "code"))
    )
    assert "excludes" not in dashboard.sent[1]["runtime_env"]


@pytest.mark.parametrize("name", ["mongo_uri", "MONGO_URI", "UNDERTONE_MONGO_URI"])
def test_a_folder_whose_settings_hold_a_secret_is_not_sent(dashboard: Dashboard, tmp_path: Path, name: str) -> None:
    (tmp_path / "undertone.toml").write_text(f'{name} = "mongodb://jane:sesame@mongo"\n')
    with pytest.raises(InvalidSettings, match="UNDERTONE_MONGO_URI in its environment") as caught:
        list(submit("train_jobs.train", [], HEAD, Settings(home=tmp_path / "home"), str(tmp_path)))
    assert "sesame" not in str(caught.value)
    assert dashboard.sent == []
