"""Tests without Ray and without a network: what they wait for is a clock that jumps."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

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


def _refuse_ray(*_: Any, **__: Any) -> NoReturn:
    pytest.fail("tests/unit starts no Ray: move the test to tests/integration")


def _refuse_network(sock: socket.socket, address: Any) -> NoReturn:
    sock.close()
    pytest.fail(f"tests/unit connects to no {address}: move the test to tests/contract or tests/integration")


def _connect(sock: socket.socket, address: Any) -> None:
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        _refuse_network(sock, address)
    _CONNECT(sock, address)


_CONNECT = socket.socket.connect


@pytest.fixture(scope="package", autouse=True)
def _closed() -> Iterator[None]:
    """Forbid Ray and the network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", _connect)
        patch.setattr(socket.socket, "connect_ex", _connect)
        if "ray" in sys.modules:
            patch.setattr("ray.init", _refuse_ray)
        yield
