"""`undertone up`, `down` and `status`: the platform on this machine."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from cli.extras import require_serve
from cli.options import Home, Json
from cli.terminal import print_table
from sentiment.settings import LOOPBACK, Settings, load_settings
from serve_app.supervisor import launch
from serve_app.supervisor.ports import urls_from_elsewhere
from serve_app.supervisor.probe import Address
from serve_app.supervisor.state import PlatformPaths, PlatformState

_UP = """Start the platform, and return when it answers.

Examples:

    undertone up

    undertone up --port 8080 --ui-port 7870

    undertone up --host 0.0.0.0        (others need a key: see undertone keys)

    undertone up --address 10.0.0.1:6379        (on a Ray cluster that runs)
"""

_WORDS = {
    "ray": "Ray, Serve and the application",
    "mlflow": "MLflow, the model registry",
    "model": "The shipped model's registration",
    "ui": "The page",
    "ingest": "What carries ingests out",
}

console = Console(soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("up", help=_UP)(up)
    app.command("down")(down)
    app.command("status")(status)


def up(
    home: Home = None,
    host: Annotated[str | None, typer.Option(help="Address that the API listens on (127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port of the API (8000).")] = None,
    ui_port: Annotated[int | None, typer.Option(help="Port of the page (7860).")] = None,
    mlflow_port: Annotated[int | None, typer.Option(help="Port of MLflow (5000).")] = None,
    dashboard_port: Annotated[int | None, typer.Option(help="Port of Ray's dashboard (8265).")] = None,
    address: Annotated[str | None, typer.Option(help="A running Ray cluster to deploy to.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of what the cluster serves.")] = False,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait until it is ready.")] = 240.0,
) -> None:
    """Start the platform, and return when it answers."""
    require_serve()
    ports = {"port": port, "ui_port": ui_port, "mlflow_port": mlflow_port, "dashboard_port": dashboard_port}
    settings = load_settings(home=home, host=host, address=address, **ports)
    status = launch.read_status(settings)
    if status.supervised and status.state:
        launch.refuse_other_settings(status.state, settings)
        console.print(f"The platform in {settings.home} is up already (supervisor {status.state.pid}).", markup=False)
        state = status.state if status.healthy else _follow(launch.follow(settings, timeout))
    else:
        state = _follow(launch.start(settings, timeout, replace=replace))
    _show_welcome(state, settings)


def down(home: Home = None) -> None:
    """End the platform: answer what is in flight, then end all of its processes.

    Example: undertone down
    """
    settings = load_settings(home=home)
    with console.status("Ending the platform …") as shown:
        was = launch.stop(settings, lambda step: shown.update(f"Ending the platform: {step} …"))
    console.print("The platform is down." if was else f"No platform runs in {settings.home}.", markup=False)


def status(home: Home = None, as_json: Json = False) -> None:
    """Show the platform's parts, addresses and health; exits with 1 when it is not healthy.

    Example: undertone status --json
    """
    settings = load_settings(home=home)
    platform = launch.read_status(settings)
    if as_json:
        console.print_json(json.dumps(_as_json(platform)))
    else:
        _show_status(platform, settings)
    raise typer.Exit(0 if platform.healthy else 1)


def _follow(states: Any) -> PlatformState | None:
    """Show the parts as they come up; return the last state."""
    state: PlatformState | None = None
    columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        tasks: dict[str, TaskID] = {}
        for state in states:
            _advance(progress, tasks, state)
    return state


def _advance(progress: Progress, tasks: dict[str, TaskID], state: PlatformState) -> None:
    """Move the bars to a state: one for each part as it appears, one for the first answer."""
    for name, part in state.parts.items():
        if name not in tasks:
            tasks[name] = progress.add_task(_WORDS[name], total=1)
        if part.phase in ("ready", "done"):
            progress.update(tasks[name], completed=1)
        elif part.restarts:
            progress.update(tasks[name], description=f"{_WORDS[name]} (start {part.restarts + 1})")
    if state.parts and "answer" not in tasks:
        tasks["answer"] = progress.add_task("A first answer", total=1)
    if state.phase == "running":
        progress.update(tasks["answer"], completed=1)


def _show_welcome(state: PlatformState | None, settings: Settings) -> None:
    """Show a platform that has started: its addresses, an answer as an example, and whether it needs a key."""
    if state is None:
        return
    for sentence in state.found:
        console.print(f"Found: {sentence}.", markup=False, highlight=False)
    if state.ready_s is not None:
        console.print(f"[bold green]Ready[/] after {state.ready_s:.0f} s.", highlight=False)
    _show_addresses(state, settings)
    needs_key = _needs_key(state)
    if state.example:
        _show_example(state.example, "--api-key KEY " if needs_key else "")
    if needs_key:
        console.print("The API needs a key; make one with: undertone keys add NAME --scope predict")


def _needs_key(state: PlatformState) -> bool:
    """Say whether the API is open beyond this machine, and so asks for a key."""
    return state.settings.get("host", LOOPBACK[0]) not in LOOPBACK or bool(state.settings.get("address"))


def _show_addresses(state: PlatformState, settings: Settings) -> None:
    notes = {"Ray dashboard": f"token: {PlatformPaths(settings.home).ray_token}"}
    if _needs_key(state):
        notes["API documentation"] = "with the header Authorization: Bearer KEY"
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for what, url in state.addresses.items():
        table.add_row(what, Text(url), Text(notes.get(what, ""), "dim"))
    listens_here = "address" not in state.settings and "API" in state.addresses
    port = Address.of(state.addresses["API"]).port if listens_here else 0
    for url in urls_from_elsewhere(state.settings.get("host", ""), port) if listens_here else ():
        table.add_row("API from elsewhere", Text(url))
    print_table(console, table)


def _show_example(example: dict[str, Any], key: str) -> None:
    console.print(
        f'undertone predict {key}"I love this product!"  →  [bold]{example["label"]}[/] '
        f"({example['verdict']}, sentiment {example['sentiment']:+.2f})",
        highlight=False,
    )


def _show_status(status: launch.PlatformStatus, settings: Settings) -> None:
    if status.state is None:
        remaining = (
            f", but {len(status.processes)} of its processes still run; end them: undertone down"
            if status.processes
            else ""
        )
        console.print(f"No platform runs in {settings.home}{remaining}.", markup=False)
        return
    console.print(f"The platform in {settings.home} is {_word(status, status.state)}.", markup=False, highlight=False)
    if status.state.error:
        console.print(f"Error: {status.state.error}", markup=False)
    _show_parts(status.state)
    if status.supervised:
        _show_addresses(status.state, settings)


def _word(status: launch.PlatformStatus, state: PlatformState) -> str:
    """Return the platform's state in a few words, with the remedy."""
    if status.healthy:
        return "healthy"
    if status.supervised:
        return "up, but its API does not answer" if state.phase == "running" else state.phase
    return "down: it did not start" if state.phase == "failed" else "without a supervisor; start one with: undertone up"


def _show_parts(state: PlatformState) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("Part", "State", "Process", "Restarts"):
        table.add_column(column)
    for name, part in state.parts.items():
        table.add_row(_WORDS[name], part.phase, str(part.pid or ""), str(part.restarts))
    print_table(console, table)


def _as_json(status: launch.PlatformStatus) -> dict[str, Any]:
    state = status.state.model_dump() if status.state else None
    pids = [process.pid for process in status.processes]
    return {"healthy": status.healthy, "supervised": status.supervised, "processes": pids, "state": state}
