from __future__ import annotations

import re

import pytest

from gradio_ui.rollout_view import rollout_card, versions_table
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


@pytest.mark.parametrize(
    ("metrics", "says"),
    [
        ({"accuracy": 0.91, "ece": 0.034, "loss": 0.4, "macro_f1": 0.9}, "macro f1 0.9, accuracy 0.91, ece 0.034"),
        (
            {"imdb_accuracy": 0.9, "tweets_emoji_macro_recall": 0.68, "tweets_macro_recall": 0.704, "loss": 1.0},
            "tweets macro recall 0.704, tweets emoji macro recall 0.68, imdb accuracy 0.9",
        ),
        ({"latency_ms": 3.1}, "–"),
    ],
)
def test_the_table_of_versions_shows_first_what_versions_are_compared_by(metrics, says):
    version = {"name": "sentiment", "version": 1, "aliases": [], "state": "idle", "weight": 0, "metrics": metrics}
    assert versions_table([version]).endswith(f"<td>{says}</td></tr></tbody></table></div>")
