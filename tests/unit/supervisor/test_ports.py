"""Which ports and addresses a platform may be started with, and where others reach it."""

from __future__ import annotations

import socket
from collections import namedtuple

import psutil
import pytest

from sentiment.errors import PlatformError
from sentiment.settings import Settings
from serve_app.supervisor.ports import addresses, refuse_unusable_ports, urls_from_elsewhere

Interface = namedtuple("Interface", "family address")


def test_the_address_of_an_mlflow_server_can_be_opened_and_tells_no_login() -> None:
    assert addresses(Settings(tracking_uri="https://jane:sesame@mlflow:5000/ours"))["MLflow"] == (
        "https://mlflow:5000/ours"
    )
    assert addresses(Settings(mlflow_port=28001))["MLflow"] == "http://127.0.0.1:28001"


def test_one_port_for_two_parts_is_refused_and_both_settings_are_named() -> None:
    with pytest.raises(PlatformError, match="are both 28001") as caught:
        refuse_unusable_ports(Settings(port=28001, mlflow_port=28001))
    for name in ("--port", "UNDERTONE_PORT", "--mlflow-port", "UNDERTONE_MLFLOW_PORT"):
        assert name in str(caught.value)
    with pytest.raises(PlatformError, match="--port or UNDERTONE_PORT and UNDERTONE_FALLBACK_PORT are both 28001"):
        refuse_unusable_ports(Settings(port=28001, fallback_port=28001))


def test_a_port_that_another_server_of_ones_own_uses_is_no_clash() -> None:
    mine = Settings(port=28001, mlflow_port=28001, tracking_uri="http://registry:28001", dashboard_port=28001)
    with pytest.raises(PlatformError, match="--dashboard-port"):
        refuse_unusable_ports(mine)


@pytest.mark.parametrize("host", ["203.0.113.7", "", "x" * 64, "2001:db8::7"])
def test_a_host_that_is_no_address_of_this_machine_is_said_to_be_that(host: str) -> None:
    with pytest.raises(PlatformError, match="not an address of this machine") as caught:
        refuse_unusable_ports(Settings(host=host))
    assert repr(host) in str(caught.value)
    assert "--host or UNDERTONE_HOST" in str(caught.value)


def test_the_addresses_for_others_are_those_of_the_interfaces_if_all_are_listened_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interfaces = {
        "lo": [Interface(socket.AF_INET, "127.0.0.1"), Interface(socket.AF_INET6, "::1")],
        "eth0": [
            Interface(socket.AF_INET, "192.0.2.2"),
            Interface(socket.AF_INET6, "2001:db8::2"),
            Interface(socket.AF_INET6, "fe80::2%eth0"),
            Interface(socket.AF_PACKET, "00:00:5e:00:53:01"),
        ],
    }
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: interfaces)
    assert urls_from_elsewhere("0.0.0.0", 8000) == ["http://192.0.2.2:8000"]
    assert urls_from_elsewhere("::", 8000) == ["http://192.0.2.2:8000", "http://[2001:db8::2]:8000"]
    assert urls_from_elsewhere("127.0.0.1", 8000) == urls_from_elsewhere("192.0.2.2", 8000) == []
