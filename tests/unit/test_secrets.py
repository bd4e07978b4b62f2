"""Secrets among the settings: they come from the environment or a file, and never go where Ray would show them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sentiment.environment import cluster_environment, process_environment, refuse_secrets
from sentiment.errors import InvalidInput, InvalidSettings
from sentiment.settings import REQUIRED, SECRETS, Settings, load_settings, public_values

SECRET = "s3cr3t-" + "k" * 32
MONGO = "mongodb://jane:sesame@mongo:27017"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"UNDERTONE_{name.upper()}", raising=False)
        monkeypatch.delenv(f"UNDERTONE_{name.upper()}_FILE", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)


def in_file(folder: Path, content: bytes) -> str:
    path = folder / "from-file"
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_every_secret_may_come_from_a_file_without_the_end_of_its_line(
    name: str, end: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(f"UNDERTONE_{name.upper()}_FILE", in_file(tmp_path, SECRET.encode() + end))
    settings = load_settings()
    assert getattr(settings, name).get_secret_value() == SECRET
    child = process_environment(settings, {})
    assert child[f"UNDERTONE_{name.upper()}"] == SECRET
    assert f"UNDERTONE_{name.upper()}_FILE" not in child, "the child would be told of it twice"


@pytest.mark.parametrize(
    ("content", "told"), [(b"\n", "is empty"), (b"\xff\xfe" * 20, "not UTF-8"), (None, "No such file")]
)
def test_a_file_that_holds_no_secret_is_named_with_its_variable(
    content: bytes | None, told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = in_file(tmp_path, content) if content is not None else str(tmp_path / "missing")
    monkeypatch.setenv("UNDERTONE_MONGO_URI_FILE", path)
    with pytest.raises(InvalidSettings, match=told) as caught:
        load_settings()
    assert caught.value.field == "UNDERTONE_MONGO_URI_FILE"
    assert path in str(caught.value)


def test_a_secret_in_a_file_is_checked_and_not_repeated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNDERTONE_SECRET_FILE", in_file(tmp_path, b"hunter2\n"))
    with pytest.raises(InvalidSettings, match="32 or more characters") as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


def test_a_secret_in_two_places_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNDERTONE_SECRET_FILE", in_file(tmp_path, SECRET.encode()))
    monkeypatch.setenv("UNDERTONE_SECRET", SECRET)
    with pytest.raises(InvalidSettings, match="UNDERTONE_SECRET and UNDERTONE_SECRET_FILE are both set"):
        load_settings()


def test_only_secrets_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERTONE_PORT_FILE", "/run/port")
    with pytest.raises(InvalidSettings, match="UNDERTONE_PORT_FILE is not a setting"):
        load_settings()


def test_no_secret_travels_to_a_cluster_and_a_node_without_it_names_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secrets = {"secret": SECRET, "mongo_uri": MONGO, "ui_login": "jane:sesame"}
    told = cluster_environment(load_settings(home=tmp_path, port=8100, retention_days=3, **secrets))
    assert told == {
        "UNDERTONE_HOME": str(tmp_path),
        "UNDERTONE_RETENTION_DAYS": "3.0",
        REQUIRED: "UNDERTONE_MONGO_URI UNDERTONE_SECRET",
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings, match="UNDERTONE_MONGO_URI is not set on this node") as caught:
        load_settings()
    assert "UNDERTONE_MONGO_URI_FILE" in str(caught.value)
    monkeypatch.setenv("UNDERTONE_MONGO_URI", MONGO)
    with pytest.raises(InvalidSettings, match="UNDERTONE_SECRET is not set on this node"):
        load_settings()
    monkeypatch.setenv("UNDERTONE_SECRET_FILE", in_file(tmp_path, SECRET.encode()))
    assert load_settings().retention_days == 3


def test_settings_at_their_defaults_leave_a_cluster_its_own() -> None:
    assert cluster_environment(load_settings()) == {}
    assert cluster_environment(load_settings(durability="store")) == {"UNDERTONE_DURABILITY": "store"}


@pytest.mark.parametrize("datasets", ["s3://bucket/sets@2", "/data/jane@work/sets"])
def test_an_at_sign_in_a_name_is_no_login(datasets: str) -> None:
    settings = load_settings(datasets=datasets)
    assert cluster_environment(settings)["UNDERTONE_DATASETS"] == datasets
    refuse_secrets(["--data", "tweets@3", "--unlabelled", datasets, "--config", '{"data": "a@1"}'], settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"tracking_uri": "http://jane:sesame@mlflow:5000"},
        {"tracking_uri": "http://sesame@mlflow:5000"},
        {"s3_endpoint": "http://jane:sesame@s3:9000"},
        {"datasets": "s3://jane:sesame@bucket/sets"},
    ],
)
def test_an_address_with_a_login_does_not_travel(settings: dict[str, str]) -> None:
    with pytest.raises(InvalidSettings, match="holds a login") as caught:
        cluster_environment(load_settings(**settings))
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    "word",
    [
        "s3://jane:sesame@bucket/texts",
        json.dumps({"distill": {"unlabelled": "https://jane:sesame@host/texts.jsonl"}}),
        "https://host/texts.jsonl?X-Amz-Signature=sesame",
        "https://host/texts.jsonl?a=1&api_key=sesame",
        f"--name={SECRET}",
        "the-mlflow-sesame",
    ],
)
def test_no_word_of_a_jobs_command_holds_a_secret(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "the-mlflow-sesame")
    with pytest.raises(InvalidInput, match="holds a login or a secret") as caught:
        refuse_secrets(["--data", "tweets@1", word], load_settings(secret=SECRET))
    assert "sesame" not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_secrets_are_those_settings_that_are_shown_nowhere() -> None:
    shown = public_values(Settings(secret=SECRET, mongo_uri=MONGO, ui_login="jane:sesame"))
    assert set(shown).isdisjoint(SECRETS)
    assert {"secret", "mongo_uri", "ui_login"} == set(SECRETS)
