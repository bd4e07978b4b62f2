"""`undertone keys add|list|revoke`: the API keys that callers from beyond this machine need."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.options import Home, Json
from cli.terminal import print_table
from sentiment.access.keys import Key, Scope, create_key, list_keys, revoke_key
from sentiment.access.secret import secret_of
from sentiment.clock import epoch_ms
from sentiment.durations import no_time, span_s
from sentiment.errors import InvalidInput, NotFound
from sentiment.settings import load_settings
from sentiment.store import open_store, store_exists

app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)
console = Console(soft_wrap=True)

_EXPIRES = "12h, 90d, 4w or a day or time to come, like 2027-01-31 or 2027-01-31T12:00+01:00"


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Who or what the key is for.")],
    scope: Annotated[Scope, typer.Option(help="predict and write texts; read texts and models; or admin, all of it.")],
    expires: Annotated[
        str | None, typer.Option(help="When it ends: 12h, 90d, 4w or 2027-01-31 (UTC); never if left out.")
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Make a key and show it, this once.

    Example: undertone keys add shop --scope predict --expires 90d
    """
    settings = load_settings(home=home)
    now_ms = epoch_ms()
    expires_at_ms = None if expires is None else expiry_ms(expires, now_ms)
    token = create_key(open_store(settings), secret_of(settings), name, scope, expires_at_ms, now_ms)
    if as_json:
        console.print_json(json.dumps({"name": name, "scope": scope, "key": token}))
        return
    console.print(token, highlight=False, markup=False)
    ends = "" if expires_at_ms is None else f" It ends {_day(expires_at_ms)} UTC."
    console.print(f"Keep it: it cannot be shown again.{ends} Send it as: Authorization: Bearer KEY", style="dim")


@app.command("list")
def show(home: Home = None, as_json: Json = False) -> None:
    """List the keys: their names, scopes and times, not the keys themselves."""
    settings = load_settings(home=home)
    keys = list_keys(open_store(settings)) if store_exists(settings) else []
    if as_json:
        console.print_json(json.dumps([_as_json(key) for key in keys]))
        return
    table = Table("Name", "Scope", "Made", "Ends", box=None, padding=(0, 2, 0, 0))
    for key in keys:
        table.add_row(escape(key.name), key.scope, _day(key.created_at_ms), _day(key.expires_at_ms))
    remedy = "Make one: undertone keys add NAME --scope predict"
    if keys:
        print_table(console, table)
    else:
        console.print(escape(f"There are no keys in {settings.home}. {remedy}"))


@app.command("revoke")
def revoke(name: Annotated[str, typer.Argument(help="Name of the key.")], home: Home = None) -> None:
    """Revoke a key: within seconds nobody is answered with it any more."""
    settings = load_settings(home=home)
    if not store_exists(settings):
        raise NotFound(f"There is no key named {name!r}: {settings.home} holds no keys.")
    revoke_key(open_store(settings), name)
    console.print(f"Revoked {name}.", markup=False)


def expiry_ms(text: str, now_ms: int) -> int:
    """Return the time in ms since 1970 that `text` names: a span from now, with its unit, or a day or time.

    A time without a zone is in UTC.

    Raises:
        InvalidInput: it names neither, or a time that is past.
    """
    try:
        at_ms = _time_ms(text, now_ms)
    except (ValueError, OverflowError):  # no day, or one after the year 9999
        raise no_time(text, "--expires", "expires", _EXPIRES) from None
    if at_ms <= now_ms:
        raise InvalidInput(f"--expires {text!r} is past already: give {_EXPIRES}", "expires")
    return at_ms


def _time_ms(text: str, now_ms: int) -> int:
    seconds = span_s(text) if text[-1:].isalpha() else None  # without a unit it is a day, like 20270131
    if seconds is None:
        named = datetime.fromisoformat(text)
        at = named.replace(tzinfo=UTC) if named.tzinfo is None else named.astimezone(UTC)
        return int(at.timestamp() * 1000)
    return round((datetime.fromtimestamp(now_ms / 1000, UTC) + timedelta(seconds=seconds)).timestamp() * 1000)


def _as_json(key: Key) -> dict[str, Any]:
    names = ("name", "id", "scope", "created_at_ms", "expires_at_ms")
    return {name: getattr(key, name) for name in names}


def _day(at_ms: int | None) -> str:
    return "never" if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
