"""One platform for all tests here: its champion is a tiny version, the versions that tests add come and go."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.running_rollouts import Rollouts, running_rollouts


@pytest.fixture(scope="package")
def rollouts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rollouts]:
    with running_rollouts(tmp_path_factory.mktemp("rollouts")) as rollouts:
        yield rollouts


@pytest.fixture
def champion(rollouts: Rollouts) -> int:
    """The version that has all traffic."""
    [(version, weight)] = rollouts.serving().items()
    assert weight == 1.0
    return version
