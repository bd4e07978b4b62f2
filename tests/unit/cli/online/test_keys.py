"""`undertone keys` in a home of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli.main import app
from cli.online.keys import expiry_ms
from sentiment.errors import InvalidInput

NOW_MS = 1_800_000_000_000  # 2027-01-15


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("MONGO_URI", "DATABASE", "SECRET"):
        monkeypatch.delenv(f"UNDERTONE_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


def keys(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["keys", *arguments, "--home", str(home)])


@pytest.mark.parametrize("text", ["0d", "0h", "2020-01-01", "2027-01-15"])
def test_an_expiry_that_is_past_names_its_option(text: str) -> None:
    with pytest.raises(InvalidInput, match=f"--expires '{text}' is past already: give 12h"):
        expiry_ms(text, NOW_MS)


@pytest.mark.parametrize("text", ["", "abc", "12", "-1d", "1e3d", "99999999w"])
def test_an_expiry_that_is_no_time_names_its_option(text: str) -> None:
    with pytest.raises(InvalidInput, match=f"--expires '{text}' is not a time"):
        expiry_ms(text, NOW_MS)


def test_an_expiry_is_so_long_from_now_or_a_day() -> None:
    assert expiry_ms("12h", NOW_MS) == NOW_MS + 12 * 3_600_000
    assert expiry_ms("1.5d", NOW_MS) == NOW_MS + 36 * 3_600_000
    assert expiry_ms("30m", NOW_MS) == NOW_MS + 1_800_000
    assert expiry_ms("2027-01-31", NOW_MS) == expiry_ms("20270131", NOW_MS) == 1_801_353_600_000


def test_an_expiry_with_a_zone_ends_then_and_one_without_in_utc() -> None:
    assert expiry_ms("2027-01-31T12:00+02:00", NOW_MS) == expiry_ms("2027-01-31T10:00", NOW_MS)
    assert expiry_ms("2027-01-31T12:00Z", NOW_MS) == expiry_ms("2027-01-31T12:00", NOW_MS) == 1_801_396_800_000
    with pytest.raises(InvalidInput, match="is not a time"):
        expiry_ms("9999-12-31T23:59-14:00", NOW_MS)


def test_an_unknown_scope_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    refused = keys(tmp_path, "add", "shop", "--scope", "foo")
    assert refused.exit_code == 2
    assert "'foo' is not one of 'predict'" in refused.output
    assert "Value error" not in refused.output


def test_looking_into_a_home_that_is_none_makes_nothing(tmp_path: Path) -> None:
    home = tmp_path / "typo"
    listed = keys(home, "list")
    assert listed.exit_code == 0
    assert f"There are no keys in {home}" in listed.output.replace("\n", "")
    assert keys(home, "list", "--json").output.strip() == "[]"
    assert keys(home, "revoke", "shop").exit_code == 1
    assert not home.exists()


def test_a_key_that_was_made_is_listed_until_it_is_revoked(tmp_path: Path) -> None:
    home = tmp_path / "home"
    made = keys(home, "add", "shop", "--scope", "predict", "--expires", "2999-01-31")
    assert made.exit_code == 0
    assert "It ends 2999-01-31 00:00 UTC." in made.output
    assert "shop" in keys(home, "list").output
    assert keys(home, "revoke", "shop").exit_code == 0
    assert "There are no keys" in keys(home, "list").output
