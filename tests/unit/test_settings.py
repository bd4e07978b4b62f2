from __future__ import annotations

import stat
from pathlib import Path

import pytest

from sentiment.access.secret import secret_of
from sentiment.environment import environment_of, process_environment
from sentiment.errors import InvalidSettings
from sentiment.settings import (
    Settings,
    load_settings,
    public_values,
)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"UNDERTONE_{name.upper()}", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)


def test_the_environment_wins_over_the_file_and_arguments_over_both(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("undertone.toml").write_text("port = 8001\nui_port = 7001\nmlflow_port = 5001\n")
    monkeypatch.setenv("UNDERTONE_UI_PORT", "7002")
    monkeypatch.setenv("UNDERTONE_MLFLOW_PORT", "5002")
    settings = load_settings(mlflow_port=5003)
    assert (settings.port, settings.ui_port, settings.mlflow_port) == (8001, 7002, 5003)


def test_an_argument_that_is_none_does_not_hide_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERTONE_PORT", "8123")
    assert load_settings(port=None).port == 8123


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("UNDERTONE_PORT", "70000", "must be 65535 or less, not 70000"),
        ("UNDERTONE_PORT", "http", "must be a whole number, not 'http'"),
        ("UNDERTONE_DURABILITY", "never", "must be 'journal' or 'store', not 'never'"),
        ("UNDERTONE_SECRET", "short", "32 or more characters"),
        (
            "UNDERTONE_ROLLOUTS_PLAN",
            "5,foo",
            ": must be shares in percent that grow and end with 100",
        ),
    ],
)
def test_a_wrong_value_names_its_variable_and_what_it_may_be(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidSettings) as caught:
        load_settings()
    assert caught.value.field == variable
    assert variable in str(caught.value)
    assert says in str(caught.value)


def test_a_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERTONE_PROT", "8000")
    with pytest.raises(InvalidSettings, match="UNDERTONE_PROT is not a setting"):
        load_settings()


def test_a_misspelt_name_in_the_file_is_refused() -> None:
    Path("undertone.toml").write_text("prot = 8000\n")
    with pytest.raises(InvalidSettings, match=r"^UNDERTONE_PROT: is not known here\. See docs/settings\.md"):
        load_settings()


def test_an_address_under_a_misspelt_name_in_the_file_is_not_repeated_in_the_message() -> None:
    Path("undertone.toml").write_text('mongo_url = "mongodb://me:hunter2@there/"\n')
    with pytest.raises(InvalidSettings, match="is not known here") as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


def test_a_wrong_secret_is_not_repeated_in_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERTONE_SECRET", "hunter2")
    with pytest.raises(InvalidSettings) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


def test_another_process_sees_the_same_settings_whatever_its_own_folder_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = load_settings(
        home=tmp_path, port=8000, secret="s" * 40, mongo_uri="mongodb://u:p@h/", retention_days=1.5, cache_texts=7
    )
    for name, value in environment_of(settings).items():
        monkeypatch.setenv(name, value)
    Path("undertone.toml").write_text("port = 9999\ncache_texts = 1\n")
    assert load_settings() == settings


def test_a_child_inherits_this_environment_except_for_settings_that_were_overridden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("UNDERTONE_PORT", "8001")
    monkeypatch.setenv("UNDERTONE_MONGO_URI", "mongodb://somewhere/")
    monkeypatch.setenv("SOMETHING_ELSE", "kept")
    environment = process_environment(Settings(port=8002, mongo_uri=None), {"EXTRA": "1"})
    assert environment["UNDERTONE_PORT"] == "8002"
    assert "UNDERTONE_MONGO_URI" not in environment
    assert environment["SOMETHING_ELSE"] == "kept"
    assert environment["EXTRA"] == "1"


def test_the_secret_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home")
    first = secret_of(settings)
    assert len(first) == 32
    assert secret_of(settings) == first
    assert stat.S_IMODE((settings.home / "secret").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("host", "closed"), [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False)]
)
def test_only_loopback_goes_without_a_key(host: str, closed: bool) -> None:
    assert load_settings(host=host).on_loopback is closed


def test_settings_are_shown_without_secrets_and_logins_and_paths_as_they_are(tmp_path: Path) -> None:
    home = tmp_path / "jane@work"
    shown = public_values(Settings(home=home, secret="s" * 32, tracking_uri="http://jane:sesame@mlflow:5000"))
    assert "secret" not in shown
    assert shown["tracking_uri"] == "http://mlflow:5000"
    assert shown["home"] == str(home)
