"""Tests without Ray and without a network: what they wait for is a clock that jumps."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.virtual_time import VirtualTimeLoop


def pytest_asyncio_loop_factories(config: object, item: object) -> dict[str, type[VirtualTimeLoop]]:
    """Give each asynchronous test a loop that waits for no timer."""
    return {"virtual": VirtualTimeLoop}


@pytest.fixture(scope="package", autouse=True)
def _one_thread() -> Iterator[None]:
    """Let torch work on tiny models in one thread: several spend most of their time on waiting for each other."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
