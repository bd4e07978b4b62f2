"""Dataset versions over the wire of S3: signatures and checksums on rclone's server, and servers that are not fit."""

from __future__ import annotations

import io
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sentiment.datasets import Example, ReadProgress, open_datasets, read_examples
from sentiment.datasets.storage.s3 import S3Objects
from sentiment.errors import DatasetDamaged, DatasetsUnavailable, InvalidInput
from tests.contract.s3_servers import BUCKET, ENVIRONMENT, S3Server, client_of, start_rclone
from tests.free_ports import free_port

EXAMPLES = [Example("so good", "positive"), Example("so bad", "negative")]


@pytest.fixture(autouse=True)
def own_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = start_rclone(tmp_path_factory.mktemp("rclone"))
    yield server
    server.stop()


@pytest.fixture
def prefix() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def place(prefix: str) -> str:
    return f"s3://{BUCKET}/{prefix}"


def upload(server: S3Server, prefix: str, folder: Path) -> None:
    client = client_of(server.endpoint)
    for path in folder.rglob("*"):
        if path.is_file():
            key = f"{prefix}/{path.relative_to(folder)}"
            client.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())


def test_a_folder_of_versions_copied_to_a_bucket_is_read_from_there(
    rclone: S3Server, prefix: str, place: str, tmp_path: Path
) -> None:
    version = open_datasets(tmp_path).push("tweets", EXAMPLES, source="tests")
    upload(rclone, prefix, tmp_path)
    store = open_datasets(place, rclone.endpoint)
    assert (store.names(), store.find("tweets")) == (["tweets"], version)
    assert list(store.read("tweets")) == EXAMPLES
    assert store.shards("tweets") == [f"{place}/tweets/shards/{version.shards[0].sha256}.parquet"]


def test_a_damaged_version_is_named_over_the_wire_too(
    rclone: S3Server, prefix: str, place: str, tmp_path: Path
) -> None:
    version = open_datasets(tmp_path).push("tweets", EXAMPLES, source="tests")
    shard = tmp_path / "tweets" / "shards" / f"{version.shards[0].sha256}.parquet"
    data = bytearray(shard.read_bytes())
    data[9] ^= 1
    shard.unlink()
    shard.write_bytes(data)
    upload(rclone, prefix, tmp_path)
    with pytest.raises(DatasetDamaged, match=rf"tweets@1 is damaged: shard 1 \({place}/.*digest"):
        next(open_datasets(place, rclone.endpoint).read("tweets"))


def test_a_server_that_ignores_the_condition_is_refused_and_nothing_is_listed(rclone: S3Server, place: str) -> None:
    store = open_datasets(place, rclone.endpoint)
    for _ in range(2):
        with pytest.raises(DatasetsUnavailable, match=r"ignores If-None-Match.*Use Amazon S3"):
            store.push("tweets", EXAMPLES, source="tests")
    assert (store.names(), store.versions("tweets"), S3Objects(place, rclone.endpoint).sizes(".probe/")) == ([], [], {})


def test_a_wrong_key_is_refused_with_the_variables_to_look_at(
    rclone: S3Server, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "somebody-elses")
    with pytest.raises(DatasetsUnavailable, match=rf"{place} refuses us .*AWS_SECRET_ACCESS_KEY"):
        open_datasets(place, rclone.endpoint).find("tweets")


def test_bytes_that_change_on_the_way_are_refused_by_their_checksum(rclone: S3Server, place: str) -> None:
    objects = S3Objects(place, rclone.endpoint)

    def garble(params: dict[str, Any], **_: Any) -> None:
        params["body"] = io.BytesIO(b"lost")

    objects._client.meta.events.register("before-call.s3.PutObject", garble)
    with pytest.raises(DatasetsUnavailable):
        objects.keep("tweets/shards/a.parquet", b"data")
    assert objects.read("tweets/shards/a.parquet") is None


def test_a_server_that_is_away_is_named_with_the_remedy_and_soon() -> None:
    began = time.monotonic()
    store = open_datasets(f"s3://{BUCKET}/sets", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(
        DatasetsUnavailable, match=r"s3://river/sets does not answer at http://127.*UNDERTONE_S3_ENDPOI"
    ):
        store.push("tweets", EXAMPLES, source="tests")
    assert time.monotonic() - began < 20


def test_the_login_in_an_endpoint_is_shown_to_nobody() -> None:
    for address in (f"http://jane:sesame@127.0.0.1:{free_port()}", "jane:sesame@store:9000"):
        with pytest.raises((DatasetsUnavailable, InvalidInput)) as caught:
            open_datasets(f"s3://{BUCKET}/sets", address).push("tweets", EXAMPLES, source="tests")
        assert "sesame" not in str(caught.value)


def test_a_bucket_that_is_not_there_is_named(rclone: S3Server, place: str) -> None:
    with pytest.raises(DatasetsUnavailable, match="s3://nowhere/sets: there is no such bucket"):
        open_datasets("s3://nowhere/sets", rclone.endpoint).push("tweets", EXAMPLES, source="tests")


def test_missing_keys_are_asked_for(rclone: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(DatasetsUnavailable, match=r"Unable to locate credentials.*AWS_ACCESS_KEY_ID"):
        open_datasets(f"s3://{BUCKET}", rclone.endpoint).names()


def test_a_table_in_a_bucket_is_a_source(rclone: S3Server, prefix: str, place: str, tmp_path: Path) -> None:
    (tmp_path / "raw.csv").write_text("text,label\nso good @bob,positive\n,negative\nso bad,negative\n")
    upload(rclone, prefix, tmp_path)
    progress = ReadProgress()
    found = list(read_examples(f"{place}/raw.csv", endpoint=rclone.endpoint, progress=progress))
    assert found == [Example("so good @user", "positive"), Example("so bad", "negative")]
    assert (progress.rows, progress.total, progress.empty, progress.empty_at) == (3, 3, 1, ["Row 2 of raw.csv"])


def test_folders_named_by_label_in_a_bucket_are_a_source(
    rclone: S3Server, prefix: str, place: str, tmp_path: Path
) -> None:
    for label, text in (("neg", "so bad"), ("pos", "so good")):
        (tmp_path / "imdb" / "train" / label).mkdir(parents=True)
        (tmp_path / "imdb" / "train" / label / "0_1.txt").write_text(text)
    (tmp_path / "imdb" / "train-notes.txt").write_text("beside it")
    upload(rclone, prefix, tmp_path)
    found = list(read_examples(f"{place}/imdb/train/", endpoint=rclone.endpoint))
    assert found == [Example("so bad", "negative"), Example("so good", "positive")]


def test_nothing_to_read_in_a_bucket_is_said(rclone: S3Server, place: str) -> None:
    with pytest.raises(InvalidInput, match=rf"nothing to read at {place}/none\.csv"):
        next(read_examples(f"{place}/none.csv", endpoint=rclone.endpoint))


def test_objects_lie_below_the_prefix_and_are_named_without_it(rclone: S3Server, prefix: str, place: str) -> None:
    objects = S3Objects(place, rclone.endpoint)
    objects.keep("tweets/shards/a.parquet", b"data")
    listed = client_of(rclone.endpoint).list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]
    assert [(entry["Key"], entry["Size"]) for entry in listed] == [(f"{prefix}/tweets/shards/a.parquet", 4)]
    assert objects.sizes("tweets/shards/") == {"tweets/shards/a.parquet": 4}
