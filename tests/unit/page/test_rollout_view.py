from __future__ import annotations

import re

import pytest

from gradio_ui.tabs.models.rollout_view import rollout_card, versions_table
from serve_app.rollout.api_view import to_public
from serve_app.rollout.policy.record import Entry, State
from serve_app.routing.observations import Observations
from tests.unit.rollout.rollouts import START_MS, arm, rollout_of


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


def decided(count: int) -> str:
    """Return the card of a rollout that took so many decisions, the last two at steps of its plan."""
    rollout = rollout_of(State.WAITING)
    for number in range(count - 4):
        rollout = rollout.with_decision(
            Entry(at_ms=START_MS + number, state=State.LOADING, stage=0, reason=f"{number}")
        )
    for state, stage in ((State.SHADOW, 1), (State.CANARY, 2)):
        rollout = rollout.with_decision(Entry(at_ms=START_MS, state=state, stage=stage, reason="asked to promote"))
    return rollout_card(to_public(rollout, START_MS))


def test_each_decision_says_which_step_it_led_to():
    rows = re.findall('<td>([a-z]+)</td><td class="number">(.*?)</td><td>(.*?)</td></tr>', decided(5))
    assert rows[:3] == [
        ("canary", "1 %", "asked to promote"),
        ("shadow", "shadow", "asked to promote"),
        ("loading", "–", "0"),
    ]


def test_decisions_that_are_left_out_are_counted_and_where_they_are_is_said():
    assert decided(14).count("<td>loading</td>") == 4
    assert "The last 6 of 14 decisions; all of them: <code>undertone rollout history --json</code>." in decided(14)
    assert "The last" not in decided(6)


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        (Observations(), "There was no feedback in this rollout"),
        (
            Observations(labelled=12, only_champion_right=2, only_challenger_right=1),
            "Of 12 texts with feedback, only version 1 is right on 2 and only version 2 on 1. Evidence that version",
        ),
    ],
)
def test_the_card_says_whether_feedback_was_heard(seen, says):
    assert says in rollout_card(to_public(rollout_of(State.CANARY, 2, seen=seen), START_MS))


def test_the_card_says_on_how_many_texts_the_versions_agree_and_on_how_many_they_say_the_reverse():
    seen = Observations(compared=2_000, disagreed=100, neutral_flips=97)
    card = rollout_card(to_public(rollout_of(State.CANARY, 2, seen=seen), START_MS))
    assert "agree on <strong>95.0%</strong> of 2,000 texts; on 3 one says positive and the other negative." in card
    assert "agree on" not in rollout_card(to_public(rollout_of(State.CANARY, 2), START_MS))


def test_the_card_says_how_sure_the_versions_are_and_how_their_labels_differ():
    arms = {1: arm(100, labels={"positive": 80, "negative": 20}), 2: arm(50, labels={"positive": 45, "negative": 5})}
    card = rollout_card(to_public(rollout_of(State.CANARY, 2, seen=Observations(arms)), START_MS))
    [table] = re.findall('aria-label="shifts">.*?</div>', card)
    rows = re.findall("<tr>(.*?)</tr>", table)
    assert [re.sub("<.*?>", "|", row).strip("|").split("||") for row in rows[1:]] == [
        ["Confidence", "90.0%", "90.0%", "+0.0 points"],
        ["Label shift", "negative 20%, positive 80%", "negative 10%, positive 90%", "10.0%"],
    ]
    one_alone = rollout_of(State.SHADOW, 1, seen=Observations({1: arm(100)}))
    assert "Label shift" not in rollout_card(to_public(one_alone, START_MS))


def test_the_card_says_how_the_plan_is_gone_through():
    by_hand = rollout_card(to_public(rollout_of(State.CANARY, 2), START_MS))
    assert "step 1 of shadow,1,10,50,100 (each step is held for 60 s, then waits for promote)" in by_hand
    alone = rollout_card(to_public(rollout_of(request={"auto": True, "sticky": "author"}), START_MS))
    assert "(each step is held for 60 s, then goes on by itself, with each author on one version)" in alone


def test_the_table_of_versions_shows_replicas_and_why_a_version_does_not_load():
    one = {"name": "sentiment", "version": 1, "aliases": ["champion"], "state": "serving", "weight": 1.0, "replicas": 2}
    two = {**one, "version": 2, "aliases": [], "state": "failed", "weight": 0.0, "replicas": 0}
    table = versions_table([{**one, "problem": None}, {**two, "problem": "does not load: <README.md> was changed"}])
    assert re.findall('<td class="number">(.*?)</td>', table) == ["0%", "0", "100%", "2"]
    assert re.findall('<td class="why" colspan="6">(.*?)</td>', table) == [
        "Version 2 does not load: &lt;README.md&gt; was changed"
    ]
    assert table.count("<th ") == 6


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
