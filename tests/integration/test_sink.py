"""What was acknowledged is kept: processes killed while they write, a disk that is full, a Sink replica that dies."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import psutil
import pytest
import ray
from ray import serve
from ray.serve.handle import DeploymentHandle

from deployments.sink import Sink
from sentiment.errors import JournalFull
from sentiment.journal import JournalOptions, open_free
from sentiment.journal.folder import segment_files
from sentiment.records import DeleteText, Outcome, SetLabel, TextQuery
from sentiment.store.memory import MemoryStore
from sentiment.store.sqlite import SqliteStore
from sentiment.writes import WriteBehind, adopt_orphans
from tests.running_platform import replicas_of
from tests.sample_operations import NOW_MS, put

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
MIB = 2**20


def wait_for(condition: Callable[[], object], within_s: float) -> None:
    give_up = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up, f"not within {within_s} s"
        time.sleep(0.05)


def start_writer(home: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.integration.sink_writer", str(home)], cwd=ROOT)


def acknowledged(home: Path) -> dict[str, set[str]]:
    """Ids by what was noted of them; a torn last line was not acknowledged to anybody."""
    found: dict[str, set[str]] = {"put": set(), "deleting": set(), "delete": set()}
    for line in (home / "acknowledged").read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            verb, id_ = line.split()
            found[verb].add(id_)
    return found


def test_a_killed_sink_loses_no_acknowledged_text_and_keeps_none_twice(tmp_path: Path):
    moments = random.Random(11)
    for _ in range(6):
        before = acknowledged(tmp_path)["put"] if (tmp_path / "acknowledged").exists() else set()
        writer = start_writer(tmp_path)
        wait_for(lambda: (tmp_path / "acknowledged").exists() and acknowledged(tmp_path)["put"] > before, within_s=20)  # noqa: B023
        time.sleep(moments.uniform(0.0, 0.5))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    with closing(SqliteStore(tmp_path / "undertone.db")) as store:
        adopt_orphans(tmp_path / "journal", store)
        noted = acknowledged(tmp_path)
        kept = store.get_many(list(noted["put"]))
        assert noted["put"] - set(kept) <= noted["deleting"]
        assert not noted["delete"] & set(kept)
        assert all(record.text == f"text {id_}" for id_, record in kept.items())
        pages = list(all_ids(store))
        assert len(pages) == len(set(pages))
    assert len(noted["put"]) > 200
    assert len(noted["delete"]) > 5


def all_ids(store: SqliteStore) -> Iterator[str]:
    cursor = None
    while True:
        page = store.page(TextQuery(), 1000, cursor)
        yield from (record.id for record in page.records)
        if (cursor := page.next_cursor) is None:
            return


def test_a_journal_whose_owner_is_killed_is_adopted_by_a_living_sink(tmp_path: Path):
    with closing(SqliteStore(tmp_path / "undertone.db")) as store:
        writer = start_writer(tmp_path)
        wait_for((tmp_path / "acknowledged").exists, within_s=20)
        living = open_free(tmp_path / "journal")
        assert adopt_orphans(tmp_path / "journal", store) == 0
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        adopt_orphans(tmp_path / "journal", store)
        noted = acknowledged(tmp_path)
        assert noted["put"] - noted["deleting"] <= set(store.get_many(list(noted["put"])))
        assert segment_files(tmp_path / "journal" / "journal-000") == []
        living.close()


def test_processes_that_start_together_own_folders_of_their_own(tmp_path: Path):
    code = (
        "import sys; from pathlib import Path; from sentiment.journal import open_free;"
        "print(open_free(Path(sys.argv[1])).path.name, flush=True); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    owners = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], **pipes) for _ in range(5)]
    names = [owner.stdout.readline().strip() for owner in owners]
    for owner in owners:
        owner.communicate()
    assert sorted(names) == [f"journal-{number:03d}" for number in range(5)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("a small disk can be mounted by root only")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("reserve_bytes", [0, 64 * MIB])
def test_a_full_disk_refuses_and_keeps_what_was_acknowledged(small_disk: Path, reserve_bytes: int):
    store, options = MemoryStore(), JournalOptions(segment_bytes=200_000, reserve_bytes=reserve_bytes)
    with closing(WriteBehind(open_free(small_disk / "journal", options), store)) as sink:
        store.available = False
        safe = []
        for number in range(4000):
            try:
                safe += sink.write([put(f"{number}", "x" * 1000)]) and [f"{number}"]
            except JournalFull:
                break
        assert 500 < len(safe) < 2000
        with pytest.raises(JournalFull):
            sink.write([put("refused", "x" * 100_000)])
        store.available = True
        sink.tick()
        assert set(store.get_many([*safe, "refused", str(len(safe))])) == set(safe)
        assert sink.write([put("again", "x" * 1000)]) == [Outcome.DONE]
        sink.tick()
        assert set(store.get_many(["again"])) == {"again"}


def test_what_a_full_disk_took_is_replayed_after_a_kill(small_disk: Path):
    journal = open_free(small_disk / "journal", JournalOptions(reserve_bytes=0))
    safe = []
    for number in range(400):
        future = journal.append([put(f"{number}", "x" * 10_000)])
        if future.exception() is None:
            safe.append(f"{number}")
    journal.close()
    store = MemoryStore()
    adopt_orphans(small_disk / "journal", store)
    assert 0 < len(safe) < 400
    assert set(store.get_many([f"{number}" for number in range(400)])) == set(safe)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Ray with a Sink on it, and the home folder of its store and journal."""
    folder = tmp_path_factory.mktemp("home")
    patch = pytest.MonkeyPatch()
    patch.setenv("UNDERTONE_HOME", str(folder))
    patch.setenv("PYTHONPATH", str(ROOT))
    patch.setenv("RAY_metrics_report_interval_ms", "1000")
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    serve.start(proxy_location="Disabled")
    yield folder
    serve.shutdown()
    ray.shutdown()
    patch.undo()


@pytest.fixture(scope="module")
def sink(home: Path) -> DeploymentHandle:
    serve.run(Sink.options(num_replicas=1).bind(), name="sink", route_prefix=None)
    return serve.get_deployment_handle("Sink", app_name="sink")


def test_the_deployment_writes_labels_and_deletes(home: Path, sink: DeploymentHandle):
    assert sink.write.remote([put("1"), put("2", claimed=True)]).result() == [Outcome.DONE, Outcome.DONE]
    again = [put("2", "other", claimed=True), SetLabel("1", "negative", NOW_MS + 1), DeleteText("nobody", NOW_MS)]
    assert sink.write.remote(again).result() == [Outcome.CONFLICT, Outcome.DONE, Outcome.NOT_FOUND]
    with closing(SqliteStore(home / "undertone.db")) as store:
        wait_for(lambda: set(store.get_many(["1", "2"])) == {"1", "2"}, within_s=3.0)
        wait_for(lambda: store.get_many(["1"])["1"].label == "negative", within_s=3.0)
    state = sink.state.remote().result()
    assert state["store_reachable"]
    assert state["stored"] >= 3


def test_the_metrics_are_shown_under_their_names(sink: DeploymentHandle):
    texts = [put("measured", text, claimed=True) for text in ("one", "another")]
    assert sink.write.remote(texts).result() == [Outcome.DONE, Outcome.CONFLICT]
    node = ray.nodes()[0]
    address = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
    names = [f"undertone_journal_{name}" for name in ("pending", "lag_s", "bytes", "commit_ms_count")]

    def shown() -> bool:
        page = httpx.get(address).text
        return all(f"ray_{name}{{" in page for name in [*names, "undertone_stored_total", "undertone_conflicts_total"])

    wait_for(shown, within_s=30)


def test_a_killed_replica_loses_no_acknowledged_text(home: Path, sink: DeploymentHandle):
    safe = []
    for number in range(60):
        if number == 20:
            os.kill(replica_pid(), signal.SIGKILL)
        ids = [f"{number}-{place}" for place in range(10)]
        if write_patiently(sink, ids):
            safe += ids
    assert len(safe) == 600
    with closing(SqliteStore(home / "undertone.db")) as store:
        wait_for(lambda: set(store.get_many(safe)) == set(safe), within_s=20)


def replica_pid() -> int:
    [replica] = replicas_of("Sink", psutil.Process().children(recursive=True))
    return replica.pid


def write_patiently(sink: DeploymentHandle, ids: list[str]) -> bool:
    for _ in range(100):
        try:
            return sink.write.remote([put(id_) for id_ in ids]).result(timeout_s=20) == [Outcome.DONE] * len(ids)
        except ray.exceptions.RayError:
            time.sleep(0.2)
    return False


def test_a_replica_that_is_stopped_drains_and_gives_up_its_journal(home: Path, sink: DeploymentHandle):
    assert sink.write.remote([put("last")]).result() == [Outcome.DONE]
    serve.delete("sink")
    with closing(SqliteStore(home / "undertone.db")) as store:
        assert set(store.get_many(["last"])) == {"last"}
    with closing(open_free(home / "journal")) as journal:
        assert journal.path.name == "journal-000"
        assert journal.pending_operations == 0
