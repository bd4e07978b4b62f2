"""What a job is told whose MLflow server does not answer: its address, the setting, and no password."""

from __future__ import annotations

import pytest

pytest.importorskip("mlflow", reason="tracking needs the train extra")

from sentiment.errors import RegistryUnavailable, UndertoneError
from sentiment.registry.tracking import Tracker
from tests.free_ports import free_port


def test_a_tracker_without_a_server_names_it_and_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(RegistryUnavailable, match=r"127\.0\.0\.1.*UNDERTONE_TRACKING_URI") as caught:
        Tracker(f"http://127.0.0.1:{free_port()}").run("name", {}, {})
    assert isinstance(caught.value, UndertoneError)


def test_a_tracker_tells_no_password_of_a_server_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    port = free_port()
    with pytest.raises(RegistryUnavailable, match=rf"server at http://127\.0\.0\.1:{port} failed") as caught:
        Tracker(f"http://jane:sesame@127.0.0.1:{port}").run("name", {}, {})
    assert "sesame" not in str(caught.value)
