"""The tab *Models*: the versions and their state, and the rollout of a new one, live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import gradio as gr

from gradio_ui.tabs.models.rollout_actions import BUTTONS
from gradio_ui.tabs.models.rollout_desk import Desk
from gradio_ui.tabs.models.rollout_form import FIELDS, STICKY
from gradio_ui.tabs.models.rollout_view import buttons_help
from sentiment.client.http import UndertoneClient
from sentiment.settings import Settings

_REFRESH_S: Final = 2.0
#: Moves the keyboard's focus to a button as soon as Gradio has drawn it: to the question's harmless answer, or back.
_FOCUS: Final = """() => {
  const end = Date.now() + 3000
  const look = () => {
    const button = document.querySelector('%s')
    if (button) button.focus()
    else if (Date.now() < end) setTimeout(look, 50)
  }
  look()
}"""
_SMALL: Final = ("promote", "pause", "resume")
_PRIVATE: Final[dict[str, Any]] = {"api_visibility": "private"}

_Parts = Sequence[Any]


@dataclass(frozen=True)
class _Question:
    """What is asked before a big thing is done, and the answers."""

    panel: gr.Column
    text: gr.HTML
    go: gr.Button
    stay: gr.Button


@dataclass(frozen=True)
class _Controls:
    """What a person types and presses; `form` is in the order of `Typed`, and `more` is where part of it is folded."""

    key: gr.Textbox
    form: _Parts
    more: gr.Accordion
    buttons: dict[str, gr.Button]
    message: gr.HTML
    question: _Question
    why: gr.HTML


def build_models(client: UndertoneClient, tab: gr.Tab, header: gr.HTML, *, asks_for_key: bool) -> gr.Timer:
    """Add the contents of `tab` to the Blocks under construction; return the timer that refreshes them.

    The timer also refreshes the page's `header`, from the tab's first opening on. `asks_for_key` makes moving traffic
    need the user's own admin key.
    """
    with gr.Row(equal_height=False):
        with gr.Column(scale=3):
            views = [gr.HTML("", elem_id=name) for name in ("rollout", "disputed", "versions")]
        with gr.Column(scale=1, min_width=240):
            controls = _controls(asks_for_key)
    desk = Desk(client, asks_for_key)
    stage = gr.State(None)
    shown = [header, *views, controls.question.panel, controls.why, stage, *controls.buttons.values()]
    _follow_buttons(desk, controls, stage, shown)
    return _keep_fresh(desk, tab, controls.key, shown)


def _controls(asks_for_key: bool) -> _Controls:
    """Add the form, the buttons and their messages."""
    key = gr.Textbox(label="Admin key", type="password", visible=asks_for_key, max_lines=1, elem_id="admin-key")
    form, more = _form()
    buttons = {"start": _button("start", "primary")}
    message = gr.HTML("", elem_id="said")
    question = _question()
    with gr.Row(elem_id="steering"):
        buttons |= {name: _button(name) for name in BUTTONS if name != "start"}
    why = gr.HTML("", elem_id="why")
    with gr.Accordion("What the buttons do", open=False, elem_id="help"):
        gr.HTML(buttons_help())
    return _Controls(key, form, more, buttons, message, question, why)


def _form() -> tuple[_Parts, gr.Accordion]:
    """Add the fields of a start; return them in the order of `Typed`, and the accordion that the rarer ones are in."""
    default = Settings.model_fields
    version = gr.Textbox(label=FIELDS["version"], placeholder="8", max_lines=1, elem_id="version")
    plan = gr.Textbox(label=FIELDS["plan"], placeholder=default["rollouts_plan"].default, max_lines=1, elem_id="plan")
    auto = gr.Checkbox(label=FIELDS["auto"], elem_id="auto")
    with gr.Accordion("More settings", open=False, elem_id="more") as more:
        hold_s = gr.Textbox(
            label=FIELDS["hold_s"],
            info="Least time in each step, also as 5m or 1h. Empty: the platform's setting.",
            placeholder=f"{default['rollouts_hold_s'].default:g}",
            max_lines=1,
            elem_id="hold",
        )
        sticky = gr.Radio(
            list(STICKY),
            value=STICKY[0][1],
            label=FIELDS["sticky"],
            info="Keep the texts of each author, or of each API key, on the same version.",
            elem_id="sticky",
        )
        in_place = gr.Checkbox(
            label=FIELDS["in_place"],
            info="If there is no room for two versions, end the old one first: requests wait while the new one loads.",
            elem_id="in-place",
        )
    return (version, plan, auto, hold_s, sticky, in_place), more


def _button(name: str, variant: Any = "secondary") -> gr.Button:
    """Add a button; it can be pressed once it is known that there is something to do."""
    return gr.Button(BUTTONS[name].label, variant=variant, interactive=False, min_width=100, elem_id=name)


def _question() -> _Question:
    """Add the question that comes before a big thing; it is hidden."""
    with gr.Column(visible=False, elem_id="question") as panel:
        text = gr.HTML("")
        with gr.Row():
            go = gr.Button("Go back", variant="stop", min_width=100, elem_id="go-back")
            stay = gr.Button("Stay", min_width=100, elem_id="stay")
    return _Question(panel, text, go, stay)


def _follow_buttons(desk: Desk, controls: _Controls, stage: gr.State, shown: _Parts) -> None:
    """Connect each button with its action; after each the whole tab is refreshed."""
    key, message, question = controls.key, controls.message, controls.question
    asking = [message, question.panel, question.text]
    pressed = [controls.buttons["start"].click(desk.start, [key, *controls.form], [message, controls.more], **_PRIVATE)]
    for name in _SMALL:
        # With the stage that the person saw, a promote that is sent twice takes one step only.
        inputs = [key, stage] if name == "promote" else [key]
        pressed.append(controls.buttons[name].click(partial(desk.steer, name), inputs, message, **_PRIVATE))
    aborted = controls.buttons["abort"].click(desk.abort, key, asking, **_PRIVATE)
    aborted.then(None, js=_FOCUS % "#stay")
    gone_back = question.go.click(desk.go_back, key, asking, **_PRIVATE)
    for action in (*pressed, aborted, gone_back):
        action.then(desk.views, key, shown, show_progress="hidden", **_PRIVATE)
    stayed = question.stay.click(lambda: gr.update(visible=False), None, question.panel, queue=False, **_PRIVATE)
    stayed.then(None, js=_FOCUS % "#abort")


def _keep_fresh(desk: Desk, tab: gr.Tab, key: gr.Textbox, shown: _Parts) -> gr.Timer:
    """Look at the rollout when the tab is opened, every few seconds from then on, and when a key is typed."""
    timer = gr.Timer(_REFRESH_S, active=False)
    tab.select(lambda: gr.Timer(active=True), None, timer, **_PRIVATE)
    for look in (tab.select, timer.tick):
        look(desk.views, key, shown, show_progress="hidden", **_PRIVATE)
    key.change(desk.views, key, shown, show_progress="hidden", trigger_mode="always_last", **_PRIVATE)
    return timer
