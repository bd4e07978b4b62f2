"""What comes from outside is shown as it is: none is read as rich's markup, which would hide it or end the command."""

from __future__ import annotations

from collections import Counter
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console
from typer.testing import CliRunner

import cli.online.platform
from cli.main import app
from cli.offline.score import _print_summary as summarise_score
from cli.online.classify_file import _print_summary as summarise_file
from cli.online.rollout import _card
from cli.stores.version_tables import facts_table, versions_table
from sentiment.client.bulk import VerdictCounts
from sentiment.errors import NotFound
from sentiment.registry import RegisteredVersion
from serve_app.rollout.api_view import to_public
from serve_app.rollout.policy.record import State
from tests.unit.rollout.rollouts import START_MS, rollout_of
from train_jobs.score.job import ScoringResult as Scored
from train_jobs.score.job import Totals

#: A style's name vanishes, an end without a beginning raises, and a backslash ends the escape of what follows.
HOSTILE = r"a [red] [/x] C:\[y] b"


def shown(write) -> str:
    out = StringIO()
    write(Console(file=out, width=400, soft_wrap=True))
    return out.getvalue()


def test_a_rollout_whose_reason_and_wait_look_like_markup_is_shown_as_it_is():
    rollout = rollout_of(State.CANARY, 2).model_copy(update={"waits": f"waits {HOSTILE}"})
    rollout = rollout.model_copy(
        update={"decisions": (rollout.decisions[-1].model_copy(update={"reason": f"why {HOSTILE}"}),)}
    )
    said = shown(lambda console: console.print(_card(to_public(rollout, START_MS))))
    assert f"waits {HOSTILE}" in said
    assert f"why {HOSTILE}" in said


def test_the_history_of_rollouts_shows_reasons_as_they_are(monkeypatch):
    rollout = rollout_of(State.ABORTED, 1)
    rollout = rollout.model_copy(
        update={"decisions": (rollout.decisions[-1].model_copy(update={"reason": f"why {HOSTILE}"}),)}
    )

    class Client:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def rollouts(self, limit):
            return [to_public(rollout, START_MS)]

    monkeypatch.setattr("cli.online.rollout.connect", lambda *_: Client())
    monkeypatch.setenv("COLUMNS", "400")
    result = CliRunner().invoke(app, ["rollout", "history"])
    assert result.exit_code == 0, result.output
    assert f"why {HOSTILE}" in result.output


def test_the_tables_of_versions_show_aliases_origins_and_tags_as_they_are():
    version = RegisteredVersion(
        name="sentiment",
        version=1,
        aliases=(f"alias {HOSTILE}",),
        digest="0" * 64,
        labels=(f"label {HOSTILE}",),
        origin=f"origin {HOSTILE}",
        created_at_ms=0,
        metrics={f"metric {HOSTILE}": 0.5},
        tags={"dataset": f"dataset {HOSTILE}", f"tag {HOSTILE}": f"value {HOSTILE}"},
    )
    listed = shown(lambda console: console.print(versions_table([version], {})))
    assert [what for what in ("alias", "origin", "dataset") if f"{what} {HOSTILE}" not in listed] == []
    facts = shown(lambda console: console.print(facts_table(version)))
    told = ("alias", "label", "origin", "dataset", "tag", "value")
    assert [what for what in told if f"{what} {HOSTILE}" not in facts] == []
    assert f"metrics.metric {HOSTILE}" in facts


def test_an_error_is_shown_as_it_is(monkeypatch):
    def fail(*_: object) -> None:
        raise NotFound(HOSTILE)

    monkeypatch.setattr("cli.online.rollout.connect", fail)
    result = CliRunner().invoke(app, ["rollout", "status"])
    assert result.exit_code == 1
    assert result.output == f"Error: {HOSTILE}\n"


def test_a_home_that_looks_like_markup_is_named_as_it_is(tmp_path, monkeypatch):
    home = tmp_path / "a [red] b"
    monkeypatch.setattr(cli.online.platform, "console", Console(width=400, soft_wrap=True))
    for command in ("status", "down"):
        result = CliRunner().invoke(app, [command, "--home", str(home)])
        assert f"No platform runs in {home}." in result.output


def test_addresses_of_a_platform_are_shown_as_they_are(monkeypatch):
    state = SimpleNamespace(
        addresses={"API": "http://127.0.0.1:8000", "page": "http://[fe80::1]:7860"}, settings={"host": "127.0.0.1"}
    )
    out = StringIO()
    monkeypatch.setattr(cli.online.platform, "console", Console(file=out, width=400))
    cli.online.platform._show_addresses(state, SimpleNamespace(home=Path("/home")))
    assert "http://[fe80::1]:7860" in out.getvalue()


@pytest.mark.parametrize("name", ["a [red] b", "a [/x] b"])
def test_the_file_that_was_written_is_named_as_it_is(name):
    scored = Scored(name, Totals(shards=1, rows=2, rejected=1, labels=Counter(positive=1)))
    said = shown(lambda console: summarise_score(scored, console))
    assert f"see {name}/rejected for the reasons" in said
    assert said.splitlines()[0].strip() == name
    job, outcome = (
        SimpleNamespace(target=Path(name), rejected=None),
        SimpleNamespace(counts=VerdictCounts(), was_finished=False, resumed_rows=0, columns={}, description=""),
    )
    assert shown(lambda console: summarise_file(job, outcome, console)).splitlines()[0].strip() == name
