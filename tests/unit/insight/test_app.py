"""The application has an index of its own, unless the settings switch it off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ray.serve import Application

from serve_app.app import AppArgs, build_app


def deployments_in(application: Application) -> Iterator[str]:
    bound = application._bound_deployment
    yield bound.name
    for value in (*bound.init_args, *bound.init_kwargs.values()):
        if isinstance(value, Application):
            yield from deployments_in(value)


@pytest.mark.parametrize(("switch", "there"), [("1", True), ("0", False)])
def test_an_index_is_kept_unless_it_is_switched_off(monkeypatch, tmp_path: Path, switch: str, there: bool):
    monkeypatch.setenv("UNDERTONE_HOME", str(tmp_path))
    monkeypatch.setenv("UNDERTONE_INSIGHT", switch)
    found = set(deployments_in(build_app(AppArgs())))
    assert found - {"Insight"} == {"Gateway", "Preprocessor", "Sink", "RolloutController"}
    assert ("Insight" in found) is there
