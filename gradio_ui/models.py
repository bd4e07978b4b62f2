"""The tab *Models*: the versions, what runs where, and the rollout of a new one, live."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any, Final

import gradio as gr

from gradio_ui.messages import note, problem
from gradio_ui.rollout_view import disagreements, rollout_card, versions_table
from sentiment.client import UndertoneClient
from sentiment.errors import InvalidInput, NotFound, UndertoneError

_REFRESH_S: Final = 2.0
_COMMANDS: Final = {"pause": "Pause", "resume": "Resume", "promote": "Promote", "abort": "Abort"}
_SAID: Final = {
    "pause": "The rollout stays where it is.",
    "resume": "The rollout goes on.",
    "promote": "The rollout goes to its next step.",
    "abort": "The champion of before gets all the traffic again.",
}


def build_models(client: UndertoneClient, tab: gr.Tab, *, asks_for_key: bool) -> gr.Timer:
    """Add the contents of `tab` to the Blocks under construction; return the timer that keeps them fresh from its
    first opening on.

    `asks_for_key` is for a page that others than this machine's users see: who moves traffic shows an admin key then.
    """
    with gr.Row(equal_height=False):
        with gr.Column(scale=3):
            card = gr.HTML("", elem_id="rollout")
            disputed = gr.HTML("", elem_id="disputed")
            versions = gr.HTML("", elem_id="versions")
        with gr.Column(scale=1, min_width=240):
            version = gr.Textbox(label="Version to roll out", placeholder="8", max_lines=1, elem_id="version")
            plan = gr.Textbox(label="Plan", placeholder="shadow,1,10,50,100", max_lines=1, elem_id="plan")
            auto = gr.Checkbox(label="Go on by itself", elem_id="auto")
            key = gr.Textbox(label="Admin key", type="password", visible=asks_for_key, max_lines=1, elem_id="admin-key")
            start = gr.Button("Start", variant="primary", elem_id="start")
            buttons = {name: gr.Button(label, elem_id=name) for name, label in _COMMANDS.items()}
            said = gr.HTML("", elem_id="said")
    shown = [card, disputed, versions]
    timer = gr.Timer(_REFRESH_S, active=False)
    tab.select(lambda: views(client), None, shown, show_progress="hidden", api_visibility="private")
    tab.select(lambda: gr.Timer(active=True), None, timer, api_visibility="private")
    timer.tick(lambda: views(client), None, shown, show_progress="hidden", api_visibility="private")

    def begin(typed: str, steps: str, by_itself: bool, token: str) -> str:
        """Start the rollout that was typed."""
        return _as(client, token, asks_for_key, lambda admin: start_rollout(admin, typed, steps, by_itself))

    def steer(name: str) -> Callable[[str], str]:
        """Return the handler of a button."""
        return lambda token: _as(client, token, asks_for_key, lambda admin: command_rollout(admin, name))

    actions = [start.click(begin, [version, plan, auto, key], said, api_visibility="private")]
    actions += [button.click(steer(name), key, said, api_visibility="private") for name, button in buttons.items()]
    for action in actions:
        action.then(lambda: views(client), None, shown, show_progress="hidden", api_visibility="private")
    return timer


def views(client: UndertoneClient) -> tuple[str, str, str]:
    """Return the rollout, the disagreements and the versions as HTML, or what is wrong."""
    try:
        rollout = _rollout(client)
        return rollout_card(rollout), disagreements(rollout), versions_table(client.models())
    except UndertoneError as exc:
        return problem(exc), "", ""


def start_rollout(client: UndertoneClient, version: str, plan: str, auto: bool) -> str:
    """Start a rollout of what was typed; return what to say. Raises what the API answers."""
    if not version.strip().isdecimal():
        raise InvalidInput("Write the number of the version to roll out, like 8.", "version")
    asked: dict[str, Any] = {"version": int(version), "auto": auto}
    if plan.strip():
        asked["plan"] = plan.strip()
    client.start_rollout(asked)
    return f"The rollout of version {int(version)} begins."


def command_rollout(client: UndertoneClient, name: str) -> str:
    """Ask something of the rollout; return what to say. Raises what the API answers."""
    client.command_rollout(name)
    return _SAID[name]


def _rollout(client: UndertoneClient) -> dict[str, Any] | None:
    """Return the rollout, None if there is none."""
    try:
        return client.rollout()
    except NotFound:
        return None


def _as(client: UndertoneClient, token: str, asks_for_key: bool, act: Callable[[UndertoneClient], str]) -> str:
    """Act with the page's own client, or with the key of the person who clicked; return HTML."""
    try:
        if not asks_for_key:
            return note(act(client))
        if not token.strip():
            raise InvalidInput("Moving traffic from this page needs an admin key: paste yours above.", "key")
        with closing(UndertoneClient(client.url, token.strip(), attempts=1)) as admin:
            return note(act(admin))
    except UndertoneError as exc:
        return problem(exc)
