"""What is shown of an address that holds a login, and of an error that tells of such a server."""

from __future__ import annotations

import pytest

from sentiment.access.logins import error_without_login, has_login, without_login


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://jane:secret@mlflow.example.org:5000", "http://mlflow.example.org:5000"),
        ("https://jane@mlflow.example.org/below", "https://mlflow.example.org/below"),
        ("http://jane:se/cr@t?#@mlflow:5000", "http://mlflow:5000"),
        ("http://jane:a://b@mlflow:5000", "http://mlflow:5000"),
        ("jane:secret@mlflow:5000", "mlflow:5000"),
    ],
)
def test_an_address_is_shown_with_its_scheme_and_without_its_login(address: str, shown: str) -> None:
    assert has_login(address)
    assert without_login(address) == shown
    assert not has_login(shown)


@pytest.mark.parametrize("address", ["http://127.0.0.1:5000", "http://[::1]:5000/mlflow", "", "mlflow:5000"])
def test_an_address_without_a_login_is_shown_as_it_is(address: str) -> None:
    assert not has_login(address)
    assert without_login(address) == address


def test_an_error_is_told_without_the_login_that_stands_in_it() -> None:
    address = "http://jane:s%40crets@mlflow:5000"
    long = "x" * 300
    exc = OSError(f"API request to {address}/api/2.0 failed: {long}")
    assert (
        error_without_login(exc, address)
        == f"OSError: {f'API request to http://mlflow:5000/api/2.0 failed: {long}'[:200]}"
    )
    assert error_without_login(OSError("401"), "http://mlflow:5000") == "OSError: 401"


@pytest.mark.parametrize("said", ["login jane, s%40crets", "login jane, s@crets"])
def test_an_error_that_tells_a_password_in_another_way_is_told_by_its_type(said: str) -> None:
    assert error_without_login(OSError(said), "http://jane:s%40crets@mlflow:5000") == "OSError"
