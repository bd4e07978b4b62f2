"""`undertone rollout …`: give a new model version the traffic step by step, watch it, go on or back."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.online.connection import ApiKey, Url, connect
from cli.options import Json
from cli.terminal import print_table
from sentiment.client.http import UndertoneClient
from sentiment.clock import epoch_ms
from sentiment.durations import seconds_of

app = typer.Typer(help="Give a new model version the traffic, step by step, or take it back.", no_args_is_help=True)
console = Console(soft_wrap=True)

_ATTEMPTS = 3  # a person waits
_WATCH_S = 1.0
_ENDED = ("done", "aborted")
_COLOURS = {"done": "green", "aborted": "red", "aborting": "red", "paused": "yellow"}
_COUNTS = re.compile(r"\b\d+(?= (?:texts|labelled))")  # they change each second: a change of them alone is no news


@app.command("start")
def start(
    version: Annotated[int, typer.Argument(help="Number of the registered version.", min=1)],
    plan: Annotated[str | None, typer.Option(help="Steps in percent: shadow,1,10,50,100.")] = None,
    hold: Annotated[str | None, typer.Option(help="Least time in each step: 60s, 5m, 1h.")] = None,
    auto: Annotated[bool, typer.Option("--auto", help="Go on by itself; else each step waits for promote.")] = False,
    sticky: Annotated[str, typer.Option(help="Keep on one side: each author, each key, or none.")] = "none",
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Without room for both, end the old version first: requests wait.")
    ] = False,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Start the rollout of a registered version.

    Examples:

      undertone rollout start 8

      undertone rollout start 8 --plan shadow,1,10,50,100 --hold 60s --auto
    """
    request = {"version": version, "auto": auto, "sticky": sticky, "in_place": in_place}
    optional = {"plan": plan, "hold_s": None if hold is None else seconds_of(hold, "--hold", "hold")}
    request |= {name: value for name, value in optional.items() if value is not None}
    with connect(url, api_key, _ATTEMPTS) as client:
        _show(client.start_rollout(request), as_json)


@app.command("status")
def status(
    watch: Annotated[bool, typer.Option("--watch", help="Keep showing it until it ends.")] = False,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Show the rollout under way, or the last one; --watch follows it to its end, into a file line by line."""
    with connect(url, api_key, _ATTEMPTS) as client:
        if not watch:
            _show(client.rollout(), as_json)
        elif as_json:
            for rollout in _followed(client):
                _show(rollout, as_json=True)
        elif console.is_terminal:
            _watch(client)
        else:
            _log(client)


@app.command("pause")
def pause(url: Url = None, api_key: ApiKey = None, as_json: Json = False) -> None:
    """Stay at the present step; a version that exceeds a limit is still rolled back."""
    _command("pause", url, api_key, as_json)


@app.command("resume")
def resume(url: Url = None, api_key: ApiKey = None, as_json: Json = False) -> None:
    """Let a paused rollout go on."""
    _command("resume", url, api_key, as_json)


@app.command("promote")
def promote(url: Url = None, api_key: ApiKey = None, as_json: Json = False) -> None:
    """Go to the next step at once."""
    _command("promote", url, api_key, as_json)


@app.command("abort")
def abort(url: Url = None, api_key: ApiKey = None, as_json: Json = False) -> None:
    """Go back: the previous version gets all the traffic again, within a second."""
    _command("abort", url, api_key, as_json)


@app.command("history")
def history(
    limit: Annotated[int, typer.Option(help="How many at most.", min=1)] = 20,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """List the last rollouts, the newest first, and how each ended."""
    with connect(url, api_key, _ATTEMPTS) as client:
        rollouts = client.rollouts(limit)
    if as_json:
        _print_json(rollouts)
        return
    table = Table("Started", "From", "To", "Now", "Why", box=None, padding=(0, 2, 0, 0))
    for rollout in rollouts:
        row = (
            _moment(rollout["started_ms"]),
            str(rollout["champion"]),
            str(rollout["challenger"]),
            _state(rollout),
            Text(rollout["reason"]),
        )
        table.add_row(*row)
    if rollouts:
        print_table(console, table)
    else:
        console.print("There has been no rollout yet. Start one: undertone rollout start VERSION")


def _command(name: str, url: str | None, api_key: str | None, as_json: bool) -> None:
    with connect(url, api_key, _ATTEMPTS) as client:
        _show(client.command_rollout(name), as_json)


def _followed(client: UndertoneClient) -> Iterator[dict[str, Any]]:
    while True:
        rollout = client.rollout()
        yield rollout
        if rollout["state"] in _ENDED:
            return
        time.sleep(_WATCH_S)


def _watch(client: UndertoneClient) -> None:
    with Live(console=console, auto_refresh=False) as live:
        for rollout in _followed(client):
            live.update(_card(rollout), refresh=True)


def _log(client: UndertoneClient) -> None:
    """Write a line for each decision, and one whenever state, step, traffic or the reason to wait have changed."""
    written: list[Any] = []
    last_line = None
    for rollout in _followed(client):
        for entry in rollout["decisions"]:
            if entry not in written:
                _say(entry["at_ms"], f"{entry['state']}: {entry['reason']}")
        written = rollout["decisions"]
        line = _status_line(rollout)
        if _COUNTS.sub("", line) != last_line:
            _say(epoch_ms(), line)
        last_line = _COUNTS.sub("", line)


def _say(at_ms: int, text: str) -> None:
    console.print(f"{_moment(at_ms)} {text}", markup=False, highlight=False)


def _status_line(rollout: Mapping[str, Any]) -> str:
    """Return the state, step and traffic of a rollout in one line."""
    waits = f"; waits: {rollout['waits']}" if rollout["waits"] else ""
    return f"{_state(rollout)}, step {_step(rollout)}; {_traffic(rollout)}{waits}"


def _step(rollout: Mapping[str, Any]) -> str:
    return f"{rollout['step'] or '-'} of {rollout['plan']}"


def _show(rollout: Mapping[str, Any], as_json: bool) -> None:
    _print_json(rollout) if as_json else print_table(console, _card(rollout))


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _card(rollout: Mapping[str, Any]) -> Group:
    heading = Text.assemble(
        f"{rollout['model']}: version {rollout['champion']} → {rollout['challenger']}   ", _state(rollout)
    )
    facts = Table.grid(padding=(0, 2))
    for name, value in _facts(rollout):
        facts.add_row(Text(name, "dim"), Text(value))
    decisions = Table("When", "State", "Why", box=None, padding=(0, 2, 0, 0))
    for entry in rollout["decisions"][-8:]:
        decisions.add_row(*map(Text, (_moment(entry["at_ms"]), entry["state"], entry["reason"])))
    return Group(heading, facts, Text(), decisions)


def _facts(rollout: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    step = f"{_step(rollout)}, for {rollout['in_step_s']:.0f} s"
    yield "step", step + (f" (held {rollout['hold_s']:g} s)" if rollout["auto"] else " (each waits for promote)")
    if rollout["waits"]:
        yield "waits", rollout["waits"]
    yield "traffic", _traffic(rollout)
    for arm in rollout["versions"]:
        yield f"version {arm['version']}", _version_line(arm)
    numbers = rollout["numbers"]
    if "disagreement" in numbers:
        share, flips, compared = numbers["disagreement"], numbers["flips"], numbers["compared"]
        yield "disagreement", f"{share:.1%} of {compared:.0f} texts, {flips:.1%} positive against negative"
    if "label_shift" in numbers:
        yield "confidence", _confidence_line(rollout, numbers)
        yield (
            "label shift",
            f"{numbers['label_shift']:.1%} of the answers would have to change for equal shares of labels",
        )
    if numbers["labelled"]:
        yield "feedback", _feedback_line(rollout, numbers)


def _traffic(rollout: Mapping[str, Any]) -> str:
    shares = [
        f"version {share['version']} {share['weight']:.0%}"
        + (f" (shadow of {share['shadow']:.0%})" if share["shadow"] else "")
        for share in rollout["traffic"]
    ]
    return ", ".join(shares)


def _version_line(arm: Mapping[str, Any]) -> str:
    texts = f"{arm['requests']} texts, {arm['errors']} failed"
    return texts if arm["p99_ms"] is None else f"{texts}, p50 {arm['p50_ms']:.0f} ms, p99 {arm['p99_ms']:.0f} ms"


def _confidence_line(rollout: Mapping[str, Any], numbers: Mapping[str, float]) -> str:
    means = ", ".join(f"version {arm['version']} {arm['confidence']:.1%}" for arm in rollout["versions"])
    return f"{means} on average, {100 * numbers['confidence_shift']:+.1f} points"


def _feedback_line(rollout: Mapping[str, Any], numbers: Mapping[str, float]) -> str:
    return (
        f"{numbers['labelled']:.0f} texts; only version {rollout['champion']} is right on "
        f"{numbers['only_champion_right']:.0f}, only version {rollout['challenger']} on "
        f"{numbers['only_challenger_right']:.0f}; evidence that {rollout['challenger']} is worse "
        f"{numbers['evidence_worse']:.2g}, that it is not {numbers['evidence_no_worse']:.2g} (20 decides)"
    )


def _state(rollout: Mapping[str, Any]) -> Text:
    command = f" ({rollout['asked']} asked for)" if rollout.get("asked") else ""
    return Text(rollout["state"] + command, _COLOURS.get(rollout["state"], "cyan"))


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
