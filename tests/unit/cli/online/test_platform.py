"""`undertone up` and `status` as a user meets them, over a platform that is only told of."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from click.testing import Result
from typer.main import get_command
from typer.testing import CliRunner

import cli.online.platform
from cli.main import app
from sentiment.access.keys import list_keys
from sentiment.errors import PlatformError
from sentiment.settings import OPTIONS, Settings, load_settings, public_values
from sentiment.store import open_store
from serve_app.supervisor import launch
from serve_app.supervisor.api_key import platform_key
from serve_app.supervisor.launch import PlatformStatus
from serve_app.supervisor.state import PlatformPaths, PlatformState, ProcessState

EXAMPLE = {"label": "positive", "verdict": "Extremely Positive", "sentiment": 0.97}


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"UNDERTONE_{name.upper()}", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)


def running(home: Path, **settings: object) -> PlatformState:
    """Return what the supervisor of a platform with these settings says."""
    mine = load_settings(home=home, **settings)
    addresses = {"API": f"http://127.0.0.1:{mine.port}", "API documentation": f"http://127.0.0.1:{mine.port}/docs"}
    return PlatformState(
        pid=7,
        created=1.0,
        phase="running",
        started_at_s=1.0,
        addresses=addresses,
        settings=public_values(mine),
        parts={"ui": ProcessState(phase="ready", pid=8)},
        example=EXAMPLE,
    )


def seen(monkeypatch: pytest.MonkeyPatch, look: PlatformStatus) -> None:
    monkeypatch.setattr(launch, "read_status", lambda _: look)
    monkeypatch.setattr(cli.online.platform, "urls_from_elsewhere", lambda host, port: [f"http://192.0.2.2:{port}"])


def undertone(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "300"})


def said(result: Result) -> str:
    return " ".join((result.output + result.stderr).split())


def test_up_with_other_settings_than_the_running_platforms_says_which_and_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen(monkeypatch, PlatformStatus(running(tmp_path), True, [], True))
    result = undertone("up", "--home", str(tmp_path), "--host", "0.0.0.0", "--port", "8099")
    assert result.exit_code == 1
    assert "--host or UNDERTONE_HOST is 127.0.0.1, not 0.0.0.0; --port or UNDERTONE_PORT is 8000, not 8099" in said(
        result
    )
    assert "undertone down" in said(result)
    assert "is up already" not in said(result)


def test_up_with_the_running_platforms_settings_or_none_is_well(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen(monkeypatch, PlatformStatus(running(tmp_path, port=8099), True, [], True))
    for options in ((), ("--port", "8099"), ("--host", "127.0.0.1")):
        result = undertone("up", "--home", str(tmp_path), *options)
        assert result.exit_code == 0, said(result)
        assert "is up already" in said(result)


def test_a_variable_counts_as_asked_for_and_passwords_are_not_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    state = running(tmp_path, tracking_uri="http://user:hunter2@one:5000", secret="s" * 40, mongo_uri="mongodb://u:p@h")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:hunter2@two:5000")
    with pytest.raises(PlatformError, match="UNDERTONE_TRACKING_URI is http://one:5000, not http://two:5000"):
        launch.refuse_other_settings(state, load_settings(home=tmp_path))
    for hidden in ("hunter2", "sss", "u:p"):
        assert hidden not in state.model_dump_json()


def test_the_welcome_beyond_loopback_shows_a_key_and_where_others_reach_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen(monkeypatch, PlatformStatus(running(tmp_path, host="0.0.0.0"), True, [], True))
    welcome = said(undertone("up", "--home", str(tmp_path)))
    assert 'undertone predict --api-key KEY "I love this product!"' in welcome
    assert "/docs with the header Authorization: Bearer KEY" in welcome
    assert "API from elsewhere http://192.0.2.2:8000" in welcome
    assert "undertone keys add NAME --scope predict" in welcome


def test_the_welcome_of_a_platform_on_a_cluster_shows_a_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen(monkeypatch, PlatformStatus(running(tmp_path, address="ray://head:10001"), True, [], True))
    monkeypatch.setattr(cli.online.platform, "urls_from_elsewhere", lambda *_: [])
    welcome = said(undertone("up", "--home", str(tmp_path)))
    assert 'undertone predict --api-key KEY "I love this product!"' in welcome


def test_a_clusters_api_is_asked_with_a_key_of_this_run_that_ends_with_it(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, address="ray://head:10001")
    with platform_key(settings) as key:
        assert key
        with closing(open_store(settings)) as store:
            assert [known.scope for known in list_keys(store)] == ["admin"]
    with closing(open_store(settings)) as store:
        assert list_keys(store) == []
    with platform_key(load_settings(home=tmp_path)) as key:
        assert key is None


def test_the_welcome_on_loopback_speaks_of_no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen(monkeypatch, PlatformStatus(running(tmp_path), True, [], True))
    monkeypatch.setattr(cli.online.platform, "urls_from_elsewhere", lambda *_: [])
    welcome = said(undertone("up", "--home", str(tmp_path)))
    assert 'undertone predict "I love this product!"' in welcome
    assert "KEY" not in welcome


def test_status_after_a_failed_start_shows_no_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    state = running(tmp_path).model_copy(update={"phase": "failed", "error": "ray does not start"})
    seen(monkeypatch, PlatformStatus(state, False, [], False))
    result = undertone("status", "--home", str(tmp_path))
    assert result.exit_code == 1
    assert "ray does not start" in said(result)
    assert "http://" not in said(result)


@pytest.mark.parametrize("home", ["/dev/null/x", "/proc/x"])
def test_a_home_that_cannot_be_made_is_named(home: str) -> None:
    for command in (("up",), ("keys", "add", "x", "--scope", "read")):
        result = undertone(*command, "--home", home)
        assert result.exit_code == 1
        assert f"{home} cannot be the platform's folder" in said(result)
        assert "--home" in said(result)
        assert not isinstance(result.exception, OSError)


def test_nothing_is_left_of_a_home_that_cannot_be_made() -> None:
    places = PlatformPaths(Path("/proc/x"))
    with pytest.raises(PlatformError):
        places.make()
    assert not places.run.exists()


def test_a_wrong_value_names_the_option_too(tmp_path: Path) -> None:
    result = undertone("up", "--home", str(tmp_path), "--port", "99999")
    assert result.exit_code == 1
    assert "--port or UNDERTONE_PORT: must be 65535 or less, not" in said(result)


def test_a_wait_of_no_time_is_refused(tmp_path: Path) -> None:
    result = undertone("up", "--home", str(tmp_path), "--timeout", "-1")
    assert result.exit_code == 2
    assert "--timeout" in said(result)


def test_the_options_that_messages_name_are_those_of_up() -> None:
    parameters = {parameter.name for parameter in get_command(app).commands["up"].params}
    assert parameters - {"timeout", "replace"} == set(OPTIONS)
