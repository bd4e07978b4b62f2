"""Where checkpoints are kept, over the wire of S3: servers that take what Ray Train asks for, and one that does not."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="training needs the train extra")

from sentiment.errors import Conflict, NotFound, Unavailable
from sentiment.settings import Settings
from tests.contract.s3_servers import BUCKET, ENVIRONMENT, S3Server, client_of, start_moto, start_rclone
from train_jobs.runs.lease import LEASE_S, Holder, Lease
from train_jobs.runs.run_store import RunStore
from train_jobs.runtime.locations import place_at
from train_jobs.runtime.storage import require_storage, storage_of
from tune.trial.checkpoints import TrialCheckpoints


@contextmanager
def running(start: Callable[[Path], S3Server], folder: Path) -> Iterator[tuple[S3Server, Settings]]:
    server = start(folder)
    try:
        yield server, Settings(home=folder, s3_endpoint=server.endpoint)
    finally:
        server.stop()


@pytest.fixture(autouse=True)
def own_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def test_a_server_that_takes_folders_and_uploads_in_parts_is_tried_out_and_left_clean(tmp_path: Path) -> None:
    with running(start_moto, tmp_path) as (server, settings):
        client_of(server.endpoint).create_bucket(Bucket=BUCKET)
        require_storage(f"s3://{BUCKET}/runs", settings)
        kept = client_of(server.endpoint).list_objects_v2(Bucket=BUCKET)["Contents"]
        assert [entry["Key"] for entry in kept] == ["runs/"]
        with pytest.raises(NotFound, match="there is no bucket 'nowhere'"):
            require_storage("s3://nowhere/runs", settings)


def test_a_server_that_checkpoints_could_not_be_written_to_is_told_before_anything_is_trained(tmp_path: Path) -> None:
    told = pytest.raises(Unavailable, match=r"s3://river/runs cannot be written.*docs/training\.md")
    with running(start_rclone, tmp_path) as (_, settings), told:
        require_storage(f"s3://{BUCKET}/runs", settings)


def test_a_trial_s_checkpoints_go_to_the_server_and_come_back_whole(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        (folder / "model").mkdir()
        (folder / "model" / "weights").write_bytes(b"\0" * 100_000)
        (folder / "state").write_bytes(b"state")

    with running(start_moto, tmp_path) as (server, settings):
        client_of(server.endpoint).create_bucket(Bucket=BUCKET)
        place = place_at(f"s3://{BUCKET}/tune/s-trainings/s-1", settings.s3_endpoint)
        checkpoints = TrialCheckpoints(place, 1)
        for step, score in ((1, 0.5), (2, 0.7), (3, 0.6), (4, 0.4)):
            checkpoints.keep({"step": step, "score": score}, step, write)
        again = TrialCheckpoints(place, 1)
        assert (again.best.figures["step"], again.latest.figures["step"]) == (2, 4)
        with again.folder_of(again.latest) as folder:
            assert (folder / "model" / "weights").read_bytes() == b"\0" * 100_000
            assert (folder / "state").read_bytes() == b"state"
        kept = client_of(server.endpoint).list_objects_v2(Bucket=BUCKET)["Contents"]
        folders = {entry["Key"].split("/")[3] for entry in kept if "checkpoint_" in entry["Key"]}
        assert folders == {"checkpoint_00000002", "checkpoint_00000004"}


def test_a_run_s_lease_and_its_files_live_on_s3_where_another_head_finds_them(tmp_path: Path) -> None:
    with running(start_moto, tmp_path) as (server, settings):
        client_of(server.endpoint).create_bucket(Bucket=BUCKET)
        store = RunStore(f"s3://{BUCKET}/runs/one", settings.s3_endpoint)
        assert store.read("mlflow-run") is None
        for run_id in ("7" * 32, "8" * 32):
            store.write("mlflow-run", run_id)
        assert RunStore(f"s3://{BUCKET}/runs/one", server.endpoint).read("mlflow-run") == "8" * 32
        now = [1000.0]
        mine = Lease(store, "one", lambda: now[0], Holder("10.0.0.1", "one", 7, 1.0))
        other = Lease(store, "one", lambda: now[0], Holder("10.0.0.2", "other", 7, 1.0))
        mine.take()
        mine.beat()
        with pytest.raises(Conflict, match=r"10\.0\.0\.1"):
            other.take()
        now[0] += LEASE_S
        other.take()
        with pytest.raises(Conflict, match="has taken over the run"):
            mine.beat()
        other.give_back()
        assert store.names("lease") == ["00000001.json", "00000002.json"]


def test_a_node_reads_and_answers_on_s3_and_nothing_is_left_there(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="training needs the train extra")
    from train_jobs.runs.storage_probe import NodeFindings, StorageProbe, look, written
    from train_jobs.train.prepare import RunLocations

    with running(start_moto, tmp_path) as (server, settings):
        client_of(server.endpoint).create_bucket(Bucket=BUCKET)
        path, filesystem = storage_of(f"s3://{BUCKET}/runs", settings)
        probe = StorageProbe(path, pickle.loads(pickle.dumps(filesystem)), "n0nce", RunLocations.of(settings), ())
        assert look(probe, "two") == NodeFindings("the file that the driver wrote is not there")
        with written(probe):
            assert look(probe, "two") == NodeFindings()
            assert len(client_of(server.endpoint).list_objects_v2(Bucket=BUCKET, Prefix="runs/.")["Contents"]) >= 2
        assert "Contents" not in client_of(server.endpoint).list_objects_v2(Bucket=BUCKET, Prefix="runs/.")


def test_a_server_that_keeps_no_promise_of_a_lease_is_told(tmp_path: Path) -> None:
    with running(start_rclone, tmp_path) as (_, settings):
        lease = Lease(RunStore(f"s3://{BUCKET}/runs/one", settings.s3_endpoint), "one", lambda: 1.0)
        with pytest.raises(Unavailable, match="If-None-Match"):
            lease.take()
