"""Where checkpoints are kept, over the wire of S3: servers that take what Ray Train asks for, and one that does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="training needs the train extra")

from sentiment.errors import NotFound, Unavailable
from sentiment.settings import Settings
from tests.contract.s3_servers import BUCKET, ENVIRONMENT, S3Server, client_of, start_moto, start_rclone
from train_jobs.storage import require_storage


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
