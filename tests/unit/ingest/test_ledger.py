"""What is desired of ingests and how they go, as gateways and the worker share it in home."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sentiment.errors import Conflict, InvalidInput, NotFound
from sentiment.ingest import IngestRequest, IngestTotals, open_checkpoint
from serve_app.ingest.ledger import DesiredState, IngestLedger, IngestPhase, IngestReport

TWEETS = IngestRequest("tweets", "csv", "/files/tweets.csv", time_column="date", columns=("text", "date"), limit=5)


@pytest.fixture
def ledger(tmp_path) -> IngestLedger:
    return IngestLedger(tmp_path / "ingests")


def test_what_was_asked_for_is_read_back_whole(ledger):
    assert ledger.start(TWEETS)
    [order] = ledger.orders().values()
    assert (order.request, order.desired, order.revision) == (TWEETS, DesiredState.RUNNING, 1)


@pytest.mark.parametrize("content", ["{", "[]", '{"request": {}, "desired": "running", "revision": 1}'])
def test_a_damaged_order_hides_no_other_ingest(ledger, content):
    ledger.start(TWEETS)
    (ledger.root / "bad").mkdir()
    (ledger.root / "bad" / "request.json").write_text(content)
    assert [view["name"] for view in ledger.views()] == ["tweets"]


def test_a_damaged_report_is_named_without_the_machines_folders(ledger):
    ledger.start(TWEETS)
    (ledger.root / "tweets" / "report.json").write_text("{")
    with pytest.raises(InvalidInput, match=r"^tweets/report.json in the folder of ingests is damaged"):
        ledger.view("tweets")


def test_each_command_is_a_revision_of_its_own(ledger):
    ledger.start(TWEETS)
    for number, desired in enumerate((DesiredState.PAUSED, DesiredState.RUNNING, DesiredState.STOPPED), 2):
        ledger.command("tweets", desired)
        order = ledger.orders()["tweets"]
        assert (order.desired, order.revision) == (desired, number)
    assert not ledger.start(replace(TWEETS, limit=9)), "it is there: it goes on, with another limit"
    assert ledger.orders()["tweets"].request.limit == 9


def test_other_options_under_a_name_that_is_taken_are_a_conflict_that_names_one(ledger):
    ledger.start(TWEETS)
    with pytest.raises(Conflict, match="'tweets' was started with another --time-column: give another --name"):
        ledger.start(replace(TWEETS, time_column="at"))
    ledger.start(replace(TWEETS, time_column="at"), restart=True)
    assert ledger.orders()["tweets"].request.time_column == "at"


def test_a_new_beginning_forgets_the_counts_and_not_while_it_runs(ledger):
    ledger.start(TWEETS)
    with open_checkpoint(ledger.root, "tweets", TWEETS.options) as checkpoint:
        checkpoint.save({"row": 3}, IngestTotals(read=3))
        with pytest.raises(Conflict, match="is already running"):
            ledger.start(TWEETS, restart=True)
    assert ledger.view("tweets")["read"] == 3
    ledger.start(TWEETS, restart=True)
    assert ledger.view("tweets")["read"] == 0


@pytest.mark.parametrize(("desired", "state"), [(DesiredState.PAUSED, "paused"), (DesiredState.STOPPED, "stopped")])
def test_what_is_not_to_run_is_shown_so_whatever_was_reported(ledger, desired, state):
    ledger.start(TWEETS)
    ledger.report("tweets", IngestReport(1, IngestPhase.RUNNING))
    ledger.command("tweets", desired)
    assert ledger.view("tweets")["state"] == state


def test_a_report_counts_for_its_own_revision_only(ledger):
    with ledger.attended():
        ledger.start(TWEETS)
        assert ledger.view("tweets")["state"] == "starting"
        ledger.report("tweets", IngestReport(1, IngestPhase.FAILED, "no such column", 7))
        view = ledger.view("tweets")
        assert (view["state"], view["problem"], view["expected"], view["by"]) == (
            "failed",
            "no such column",
            7,
            "platform",
        )
        ledger.command("tweets", DesiredState.RUNNING)
        assert ledger.view("tweets")["state"] == "starting"


def test_an_ingest_that_nobody_carries_out_waits_and_says_so(ledger):
    ledger.start(TWEETS)
    ledger.report("tweets", IngestReport(1, IngestPhase.RUNNING))
    view = ledger.view("tweets")
    assert view["state"] == "waiting"
    assert "is down" in view["problem"]


def test_ingests_of_command_lines_are_listed_and_take_no_commands(ledger):
    with open_checkpoint(ledger.root, "mine", {"--kind": "csv"}) as checkpoint:
        checkpoint.save({"row": 2}, IngestTotals(read=2, kept=2))
        [view] = ledger.views()
        assert (view["name"], view["by"], view["state"], view["kept"]) == ("mine", "command", "running", 2)
        checkpoint.save({"row": 2}, IngestTotals(read=2, kept=2), is_finished=True)
    assert ledger.view("mine")["state"] == "finished"
    with pytest.raises(NotFound, match="runs on a command line: stop it there with Ctrl\\+C"):
        ledger.command("mine", DesiredState.PAUSED)


def test_what_is_not_there_is_not_found_and_what_is_no_name_is_refused(ledger):
    assert ledger.views() == []
    for look in (ledger.view, lambda name: ledger.command(name, DesiredState.PAUSED)):
        with pytest.raises(NotFound, match="nowhere"):
            look("nowhere")
        with pytest.raises(InvalidInput, match="cannot name an ingest"):
            look("../etc")


def test_only_one_process_carries_ingests_out(ledger):
    with ledger.attended():
        assert ledger.is_attended()
        with pytest.raises(Conflict, match="another process already runs"), ledger.attended():
            pass
    assert not ledger.is_attended()
