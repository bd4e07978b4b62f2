"""Bulk scoring on a real Ray: killed and taken up, on disk and on S3, and what goes wrong in an actor told plainly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import ray

from sentiment.client.bulk import Verdict
from sentiment.errors import InvalidInput
from sentiment.registry import resolve_model
from sentiment.settings import Settings
from sentiment.tables import Row, open_table, write_table
from tests.contract.s3_servers import BUCKET, ENVIRONMENT, client_of, start_moto
from tests.tiny_model import build_tiny_version
from tests.tiny_scoring import options_in
from train_jobs.score import run as score_job
from train_jobs.score.run import job_of, score
from train_jobs.score.tasks import ShardScorer

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
ROWS = 500


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_version(tmp_path_factory.mktemp("version"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    for name, value in ENVIRONMENT.items():
        patch.setenv(name, value)
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()
    patch.undo()


def texts(path: Path, first: int, count: int) -> None:
    rows = ({"id": first + place, "text": "I love it" if place % 3 else ""} for place in range(count))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(path, {"id": "integer", "text": "string"}, rows)


def one_with_another_column(folder: Path) -> None:
    texts(folder / "b.csv", 0, 3)
    write_table(folder / "a.csv", {"body": "string"}, [{"body": "I love it"}])


def ids_in(folder: Path) -> list[int]:
    return sorted(int(row.values["id"]) for file in folder.iterdir() for row in open_table(file))


def rejected_in(folder: Path) -> list[int]:
    return sorted(row.values["values"]["id"] for file in folder.iterdir() for row in open_table(file))


def test_a_scoring_that_is_killed_and_run_again_has_every_row_once(tmp_path: Path, model: Path, request) -> None:
    texts(tmp_path / "in" / "a.jsonl", 0, ROWS)
    texts(tmp_path / "in" / "b.parquet", ROWS, 10)
    out, settings = tmp_path / "out", Settings(home=tmp_path / "home")
    command = [sys.executable, "-m", "train_jobs.score", str(tmp_path / "in"), "--model", str(model), "--out", str(out)]
    environment = {**os.environ, "UNDERTONE_HOME": str(settings.home)}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--shard-rows", "1"], env=environment, stdout=log, stderr=log, start_new_session=True
        )
        until = time.monotonic() + 200
        while not (out / "done").is_dir() or len(list((out / "done").glob("*.json"))) < 3:
            assert time.monotonic() < until, (tmp_path / "log").read_text()
            assert process.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert not (out / "manifest.json").exists()

    request.getfixturevalue("cluster")
    time.sleep(1)  # an actor may outlive its driver by a moment
    done = len(list((out / "done").glob("*.json")))
    assert 3 <= done < ROWS + 10
    found = resolve_model(settings, str(model))
    job = job_of(settings, found, options_in(tmp_path, out=str(out), shard_rows=1))
    outcome = score(job, found, settings)
    assert (outcome.resumed_shards, outcome.totals.rows) == (done, ROWS + 10)
    bad = [number for number in range(ROWS) if number % 3 == 0] + [ROWS + place for place in (0, 3, 6, 9)]
    assert rejected_in(out / "rejected") == bad
    assert ids_in(out / "scored") == sorted(set(range(ROWS + 10)) - set(bad))
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["rows"], manifest["rejected"], len(manifest["shards"])) == (ROWS + 10, len(bad), ROWS + 10)
    assert score(job, found, settings).was_finished


def test_files_on_s3_are_scored_to_s3(tmp_path: Path, model: Path, cluster: None) -> None:
    server = start_moto(tmp_path)
    try:
        client = client_of(server.endpoint)
        client.create_bucket(Bucket=BUCKET)
        texts(tmp_path / "a.csv", 0, 7)
        client.upload_file(str(tmp_path / "a.csv"), BUCKET, "texts/a.csv")
        settings = Settings(home=tmp_path / "home", s3_endpoint=server.endpoint)
        found = resolve_model(settings, str(model))
        places = {"source": f"s3://{BUCKET}/texts", "out": f"s3://{BUCKET}/scored-1"}
        job = job_of(settings, found, options_in(tmp_path, **places, format="jsonl", shard_rows=4))
        assert score(job, found, settings).totals.rows == 7
        listed = client.list_objects_v2(Bucket=BUCKET, Prefix="scored-1/scored/")["Contents"]
        bodies = [client.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read() for entry in listed]
        scored = [json.loads(line) for body in bodies for line in body.splitlines()]
        assert [row["id"] for row in scored] == ["1", "2", "4", "5"]
        assert score(job, found, settings).was_finished
    finally:
        server.stop()


def test_a_command_that_fails_in_an_actor_says_so_in_one_line_and_nothing_of_ray_s(tmp_path: Path, model: Path) -> None:
    texts(tmp_path / "in" / "a.csv", 0, 3)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "scored").symlink_to("nowhere")
    command = [sys.executable, "-m", "cli.main", "score", str(tmp_path / "in"), "--model", str(model)]
    command += ["--out", str(tmp_path / "out"), "--home", str(tmp_path / "home")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: {tmp_path / 'out'} cannot be written ([Errno 17] File exists")
    assert done.stderr.count("\n") == 1


def test_a_table_that_lacks_the_column_ends_the_scoring_with_its_name(
    tmp_path: Path, model: Path, cluster: None
) -> None:
    one_with_another_column(tmp_path / "in")
    settings = Settings(home=tmp_path / "home")
    found = resolve_model(settings, str(model))
    job = job_of(settings, found, options_in(tmp_path, text_column="body"))
    with pytest.raises(InvalidInput) as caught:
        score(job, found, settings)
    assert str(caught.value) == "b.csv has no column 'body'. Its columns are: 'id', 'text'."
    assert not (tmp_path / "out" / "manifest.json").exists()


class Faulty(ShardScorer):
    """A scorer that falls on what a text says: killed, as for want of memory, or with an error that nobody foresaw."""

    def _verdicts(self, rows: Sequence[Row]) -> list[Verdict]:
        texts_of_all = " ".join(str(row.values["text"]) for row in rows)
        if "kill" in texts_of_all:
            os.kill(os.getpid(), signal.SIGKILL)
        if "odd" in texts_of_all:
            raise ZeroDivisionError("float division by zero")
        return super()._verdicts(rows)


def with_bad_rows(folder: Path, text: str) -> Path:
    """Write eight rows of a file, and two that `Faulty` falls on of another."""
    texts(folder / "a.csv", 0, 8)
    (folder / "sub").mkdir()
    write_table(folder / "sub" / "b.csv", {"text": "string"}, [{"text": text}, {"text": text}])
    return folder


def test_a_shard_that_fails_as_a_whole_ends_the_scoring_with_its_rows_and_the_reason(
    tmp_path: Path, model: Path, cluster: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score_job, "ShardScorer", Faulty)
    settings, pool = Settings(home=tmp_path / "home"), score_job.ActorPool(1, 1)
    found = resolve_model(settings, str(model))
    job = job_of(settings, found, options_in(tmp_path, source=str(with_bad_rows(tmp_path / "in", "odd")), shard_rows=2))
    with pytest.raises(InvalidInput) as caught:
        score(job, found, settings, pool)
    message = "rows 1 to 2 of sub/b.csv cannot be scored: ZeroDivisionError: float division by zero. Correct it"
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_worker_that_dies_over_one_shard_again_and_again_ends_the_command_with_one_line(
    tmp_path: Path, model: Path
) -> None:
    command = [str(with_bad_rows(tmp_path / "in", "kill")), "--model", str(model), "--out", str(tmp_path / "out")]
    command += ["--shard-rows", "2", "--most", "1", "--home", str(tmp_path / "home"), "--json"]
    script = (
        "from cli.main import app; from train_jobs.score import run as score; "
        "from tests.integration.test_score import Faulty; score.ShardScorer = Faulty; app()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "score", *command], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        "Error: scoring stopped at rows 1 to 2 of sub/b.csv: the worker process was killed or"
    )
    assert done.stderr.count("\n") == 1


def test_a_row_that_nobody_foresaw_is_rejected_with_its_reason_and_the_others_are_scored(
    tmp_path: Path, model: Path, cluster: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"text": "I love it"}, {"text": "odd"}, {"text": "I love it"}]
    (tmp_path / "in").mkdir()
    write_table(tmp_path / "in" / "a.csv", {"text": "string"}, rows)
    monkeypatch.setattr(score_job, "ShardScorer", Faulty)
    settings = Settings(home=tmp_path / "home")
    found = resolve_model(settings, str(model))
    outcome = score(job_of(settings, found, options_in(tmp_path)), found, settings)
    assert (outcome.totals.rows, outcome.totals.rejected) == (3, 1)
    (rejected,) = map(json.loads, next((tmp_path / "out" / "rejected").iterdir()).read_text().splitlines())
    assert (rejected["row"], rejected["reason"]) == (2, "ZeroDivisionError: float division by zero")
