"""The actions of the tab *Models*: shows the rollout, and gives it commands with the key of the person who clicked."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

import gradio as gr

from gradio_ui.messages import away_line, note, problem, serving_line, shown
from gradio_ui.tabs.models.rollout_actions import BUTTONS, Record, offer_of, question_before_abort
from gradio_ui.tabs.models.rollout_form import FOLDED, Typed, in_words, key_in_words
from gradio_ui.tabs.models.rollout_view import disagreements, rollout_card, versions_table
from sentiment.client.http import UndertoneClient
from sentiment.errors import InvalidInput, KeyRefused, NotFound, UndertoneError

_CONFIRMATIONS: Final = {
    "pause": "The rollout is paused at its present step.",
    "resume": "The rollout goes on.",
    "promote": "The rollout goes to its next step.",
    "abort": "The previous champion gets all the traffic again.",
}


def _connect(url: str, key: str) -> UndertoneClient:
    return UndertoneClient(url, key, attempts=1)


@dataclass(frozen=True)
class Desk:
    """Where a rollout is seen and steered from. Each method returns what the page shows, errors too.

    With `asks_for_key` nothing is moved without the admin key of the person who clicked; `token` is what he typed.
    """

    client: UndertoneClient
    asks_for_key: bool
    connect: Callable[[str, str], UndertoneClient] = _connect

    def views(self, token: str) -> list[Any]:
        """Return header, rollout, disagreements, versions, the question before an abort, why, stage, and each button.

        While the platform does not answer, what can be done stays what it was: an abort may be wanted just then.
        """
        try:
            rollout, models = self._rollout(), self.client.models()
        except UndertoneError as exc:
            return [away_line(exc), problem(exc), "", "", *[gr.skip()] * (3 + len(BUTTONS))]
        offer = offer_of(rollout, has_key=not self.asks_for_key or bool(token.strip()))
        is_asked = "abort" in offer.commands and question_before_abort(rollout)
        return [
            serving_line(models),
            rollout_card(rollout),
            disagreements(rollout),
            versions_table(models),
            gr.skip() if is_asked else gr.update(visible=False),
            f'<p class="small">{shown(offer.why)}</p>',
            rollout and rollout["stage"],
            *[gr.update(interactive=name in offer.commands) for name in BUTTONS],
        ]

    def start(self, token: str, *typed: Any) -> tuple[str, Any]:
        """Start the rollout that was typed, the values of `Typed`; return what to say, and what becomes of the fold."""
        try:
            request = Typed(*typed).request()
            self._as(token, lambda admin: admin.start_rollout(request))
        except UndertoneError as exc:
            is_folded = getattr(exc, "field", "") in FOLDED
            return problem(in_words(exc)), gr.update(open=True) if is_folded else gr.skip()
        return note(f"The rollout of version {request['version']} begins."), gr.skip()

    def steer(self, name: str, token: str, stage: int | None = None) -> str:
        """Give the rollout a command, meant for the `stage` that the page shows where it is one; return what to say."""
        try:
            self._as(token, lambda admin: admin.command_rollout(name, stage))
        except UndertoneError as exc:
            return problem(exc)
        return note(_CONFIRMATIONS[name])

    def abort(self, token: str) -> tuple[str, Any, str]:
        """Abort, or ask first where that is a big thing; return what to say, whether to ask, and the question."""
        try:
            question = question_before_abort(self._rollout())
        except UndertoneError as exc:
            return problem(exc), gr.update(visible=False), ""
        if question:
            return "", gr.update(visible=True), problem(question)
        return self.go_back(token)

    def go_back(self, token: str) -> tuple[str, Any, str]:
        """Abort without a question; return what `abort` does."""
        return self.steer("abort", token), gr.update(visible=False), ""

    def _rollout(self) -> Record | None:
        """Return the rollout, None if there is none."""
        try:
            return self.client.rollout()
        except NotFound:
            return None

    def _as(self, token: str, act: Callable[[UndertoneClient], object]) -> None:
        """Act with the page's own client, or with the key of the person who clicked.

        Raises:
            InvalidInput: a key is asked for, and there is none or a refused one.
        """
        if not self.asks_for_key:
            act(self.client)
            return
        if not token.strip():
            raise InvalidInput("This needs an admin key: paste yours above.", "key")
        with closing(self.connect(self.client.url, token.strip())) as admin:
            try:
                act(admin)
            except KeyRefused as exc:  # its message is for the command line
                raise InvalidInput(key_in_words(exc), "key") from exc
