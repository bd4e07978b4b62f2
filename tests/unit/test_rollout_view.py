from __future__ import annotations

import re

import pytest

from gradio_ui.rollout_view import rollout_card
from serve_app.rollout.public import to_public
from serve_app.rollout.record import State
from tests.unit.rollout.rollouts import START_MS, rollout_of


@pytest.mark.parametrize(
    ("state", "stage", "says"),
    [
        (State.SHADOW, 1, ["version 1 100%", "version 2 25%, in the shadow"]),
        (State.CANARY, 4, ["version 1 50%", "version 2 50%, shadow of 25%"]),
        (State.FULL, 5, ["version 1 0%", "version 2 100%"]),
    ],
)
def test_the_card_says_which_share_of_the_traffic_each_version_has(state, stage, says):
    card = rollout_card(to_public(rollout_of(state, stage), START_MS))
    assert re.findall('role="img" aria-label="(.*?)"', card) == says


def test_the_card_says_what_is_waited_for():
    waiting = to_public(rollout_of(State.WAITING, waits="version 2 needs 1 <GPU>"), START_MS)
    assert "Now: version 2 needs 1 &lt;GPU&gt;" in rollout_card(waiting)
    assert "Now:" not in rollout_card({**waiting, "waits": None})
