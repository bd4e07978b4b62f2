"""The worker: what runs is what is desired, and what passes by itself is tried again."""

from __future__ import annotations

import asyncio

import pytest

from sentiment.errors import InvalidInput, Unavailable
from sentiment.ingest import IngestRequest
from serve_app.ingest.ledger import DesiredState, IngestLedger
from serve_app.ingest.worker import IngestRun, IngestWorker, _public

TWEETS, POSTS = (IngestRequest(name, "csv", f"/files/{name}.csv") for name in ("tweets", "posts"))


class FakeCarrier:
    """Carries an ingest out until a test says how it ends; `running` are those under way."""

    def __init__(self) -> None:
        self.running: dict[str, asyncio.Future[None]] = {}
        self.begun: list[str] = []

    async def __call__(self, request: IngestRequest, run: IngestRun) -> None:
        """Run until told."""
        self.begun.append(request.name)
        run.opened(7)
        self.running[request.name] = asyncio.get_running_loop().create_future()
        try:
            await self.running[request.name]
        finally:
            del self.running[request.name]


@pytest.fixture
def ledger(tmp_path):
    ledger = IngestLedger(tmp_path)
    with ledger.attended():
        yield ledger


@pytest.fixture
def carrier() -> FakeCarrier:
    return FakeCarrier()


@pytest.fixture
async def worker(ledger, carrier):
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0)

    worker = IngestWorker(ledger, carrier, sleep)
    worker.pauses = pauses
    yield worker
    for name in list(worker._tasks):
        await worker._end(name)


async def settle(worker: IngestWorker) -> None:
    for _ in range(3):
        await worker.step()
        for _ in range(5):
            await asyncio.sleep(0)


async def test_several_run_at_once_each_by_itself(worker, ledger, carrier):
    ledger.start(TWEETS)
    ledger.start(POSTS)
    await settle(worker)
    assert set(carrier.running) == {"tweets", "posts"}
    carrier.running["tweets"].set_exception(RuntimeError("a fault"))
    await settle(worker)
    assert [ledger.view(name)["state"] for name in ("posts", "tweets")] == ["running", "failed"]
    assert "ingest.log" in ledger.view("tweets")["problem"]
    assert ledger.view("posts")["expected"] == 7


async def test_one_that_has_ended_is_not_begun_again_unless_it_is_wanted_again(worker, ledger, carrier):
    ledger.start(TWEETS)
    await settle(worker)
    carrier.running["tweets"].set_result(None)
    await settle(worker)
    assert ledger.view("tweets")["state"] == "finished"
    assert carrier.begun == ["tweets"]
    ledger.command("tweets", DesiredState.RUNNING)
    await settle(worker)
    assert carrier.begun == ["tweets", "tweets"]


@pytest.mark.parametrize("desired", [DesiredState.PAUSED, DesiredState.STOPPED])
async def test_one_that_is_not_wanted_any_more_ends_and_goes_on_later(worker, ledger, carrier, desired):
    ledger.start(TWEETS)
    await settle(worker)
    ledger.command("tweets", desired)
    await settle(worker)
    assert carrier.running == {}
    assert ledger.view("tweets")["state"] == desired.value
    ledger.command("tweets", DesiredState.RUNNING)
    await settle(worker)
    assert set(carrier.running) == {"tweets"}


async def test_a_platform_that_is_away_is_waited_for_longer_each_time(worker, ledger, carrier):
    ledger.start(TWEETS)
    await settle(worker)
    for _ in range(3):
        carrier.running["tweets"].set_exception(Unavailable("nothing answers"))
        await settle(worker)
    view = ledger.view("tweets")
    assert (view["state"], view["problem"]) == ("waiting", "nothing answers"), "until a batch is answered again"
    assert worker.pauses == [2.0, 4.0, 8.0]
    assert carrier.begun == ["tweets"] * 4


async def test_one_that_gets_on_again_is_shown_so_and_is_patient_anew(ledger):
    pauses: list[float] = []

    async def comes_and_goes(request: IngestRequest, run: IngestRun) -> None:
        run.opened(None)
        if len(pauses) == 2:
            run.progressed()
            assert ledger.view("tweets")["state"] == "running"
        if len(pauses) < 4:
            raise Unavailable("nothing answers")

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    ledger.start(TWEETS)
    await settle(IngestWorker(ledger, comes_and_goes, sleep))
    assert pauses == [2, 4, 2, 4]
    assert ledger.view("tweets")["state"] == "finished"


async def test_pauses_grow_to_a_minute_while_a_source_cannot_even_be_opened(ledger):
    pauses: list[float] = []

    async def away(request: IngestRequest, run: IngestRun) -> None:
        if len(pauses) == 8:
            raise InvalidInput("the file is gone", "file")
        raise Unavailable("nothing answers")

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    ledger.start(TWEETS)
    await settle(IngestWorker(ledger, away, sleep))
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]
    assert (ledger.view("tweets")["state"], ledger.view("tweets")["problem"]) == ("failed", "the file is gone")


async def test_a_new_worker_goes_on_with_what_another_left(ledger, carrier, worker):
    ledger.start(TWEETS)
    await settle(worker)
    second = FakeCarrier()
    successor = IngestWorker(ledger, second)
    await settle(successor)
    assert second.begun == ["tweets"]
    await successor._end("tweets")


async def test_a_damaged_request_stops_no_other(ledger, carrier, worker):
    ledger.start(TWEETS)
    await settle(worker)
    (ledger.root / "bad").mkdir()
    (ledger.root / "bad" / "request.json").write_text("{")
    await settle(worker)
    assert set(carrier.running) == {"tweets"}


def test_a_problem_names_the_apis_fields_and_no_folder():
    assert _public(Unavailable("/home/ann/files/a.csv: --time-column is missing")) == "a.csv: time_column is missing"


async def test_cancelled_it_ends_what_is_under_way(ledger, carrier, worker):
    ledger.start(TWEETS)
    running = asyncio.create_task(worker.run())
    for _ in range(500):
        await asyncio.sleep(0.002)
        if carrier.running:
            break
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert carrier.running == {}
    assert ledger.view("tweets")["state"] == "running", "it is wanted still, and goes on at the next start"
