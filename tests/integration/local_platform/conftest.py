"""One platform for all tests here: the page's come first, those of `test_platform` end with its end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.running_platform import RunningPlatform, running
from tests.ui.conftest import browser  # noqa: F401 - a fixture


@pytest.fixture(scope="package")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    with running(tmp_path_factory.mktemp("platform") / "home", gateway_replicas=1) as started:
        yield started
