"""What every store of dataset versions promises: a folder, and S3 over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sentiment.datasets import DatasetStore, Example
from sentiment.errors import Conflict, DatasetDamaged, InvalidInput, NotFound
from sentiment.text import CURRENT_NORMALIZER
from tests.contract.dataset_places import FolderPlace, Place, S3Place
from tests.contract.s3_servers import BUCKET, ENVIRONMENT, S3Server, client_of, start_moto

TEXTS = ("so good", "so bad", "a table")
LABELS = ("positive", "negative", "neutral")


def examples(*extra: str) -> list[Example]:
    return [*map(Example, TEXTS, LABELS), *(Example(text, "neutral", "mail", "en") for text in extra)]


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = start_moto(tmp_path_factory.mktemp("moto"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        client_of(server.endpoint).create_bucket(Bucket=BUCKET)
        yield server
    server.stop()


@pytest.fixture(params=["folder", "moto"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return FolderPlace(tmp_path / "datasets")
    return S3Place(request.getfixturevalue("moto").endpoint)


@pytest.fixture
def store(place: Place) -> DatasetStore:
    return place.open()


def manifest_of(place: Place, number: int = 1) -> str:
    return f"tweets/versions/{number:08d}.json"


def shard_of(place: Place) -> str:
    return next(key for key in place.keys() if "/shards/" in key)  # noqa: SIM118 - not a dict


def push(store: DatasetStore, *extra: str, name: str = "tweets") -> str:
    return store.push(name, examples(*extra), source="tests").ref


def test_what_was_pushed_is_read_again_in_its_order(place: Place, store: DatasetStore) -> None:
    version = store.push("tweets", iter(examples("a chair")), source="made up")
    found = place.open().find("tweets@1")
    assert found == version
    assert list(place.open().read(found)) == examples("a chair")
    assert (found.rows, found.labels, found.source) == (4, ("negative", "neutral", "positive"), "made up")
    assert found.balance == {"negative": 1, "neutral": 2, "positive": 1}
    assert (found.parent, found.normalizer, found.created_at.utcoffset() is not None) == (
        None,
        CURRENT_NORMALIZER,
        True,
    )


def test_texts_are_masked_before_they_are_stored(store: DatasetStore) -> None:
    push(store, "thanks @bob, see http://a.com/x")
    assert list(store.read("tweets"))[-1].text == "thanks @user, see http"


def test_versions_are_numbered_and_the_latest_is_found_by_its_name(store: DatasetStore) -> None:
    assert [push(store), push(store, "more"), push(store, "yet more")] == ["tweets@1", "tweets@2", "tweets@3"]
    assert [version.number for version in store.versions("tweets")] == [1, 2, 3]
    assert [store.find(ref).number for ref in ("tweets", "tweets@latest", "tweets@2")] == [3, 3, 2]


def test_the_same_rows_pushed_again_are_the_same_version(place: Place, store: DatasetStore) -> None:
    push(store)
    before = place.keys()
    assert push(place.open()) == "tweets@1"
    assert place.keys() == before
    assert [push(store, "more"), push(store)] == ["tweets@2", "tweets@3"]  # but going back is a new version


def test_equal_rows_have_an_equal_digest_whatever_their_name(store: DatasetStore) -> None:
    push(store), push(store, name="others"), push(store, "more", name="third")
    first, same, other = (store.find(name) for name in ("tweets", "others", "third"))
    assert first.digest == same.digest != other.digest


def test_pushes_at_the_same_time_never_overwrite_each_other(place: Place) -> None:
    extras = [f"text {number}" for number in range(12)]
    with ThreadPoolExecutor(12) as pool:
        refs = list(pool.map(lambda extra: push(place.open(), extra), extras))
    assert sorted(refs) == sorted(f"tweets@{number}" for number in range(1, 13))
    store = place.open()
    for ref, extra in zip(refs, extras, strict=True):
        assert list(store.read(ref)) == examples(extra)


def test_a_push_that_breaks_off_leaves_nothing_that_is_listed(store: DatasetStore) -> None:
    def broken() -> Iterator[Example]:
        yield from examples()
        raise InvalidInput("row 4 is broken")

    with pytest.raises(InvalidInput, match="row 4"):
        store.push("tweets", broken(), source="tests")
    assert (store.names(), store.versions("tweets"), store.damaged()) == ([], [], [])


def test_a_manifest_that_is_cut_off_is_named_and_not_listed(place: Place, store: DatasetStore) -> None:
    push(store), push(store, "more")
    place.write(manifest_of(place, 2), place.read(manifest_of(place, 2))[:-40])
    assert [version.ref for version in store.versions("tweets")] == ["tweets@1"]
    assert [problem.split(":")[0] for problem in store.damaged()] == ["tweets@2 is damaged"]
    for ref in ("tweets@2", "tweets@latest"):
        with pytest.raises(DatasetDamaged, match=r"tweets@2 is damaged.*truncated"):
            store.find(ref)
    assert push(store, "again") == "tweets@3"


@pytest.mark.parametrize(("old", "new"), [(b'"rows": 3', b'"rows": 4'), (b'"tests"', b'"nobody"'), (b"{", b"[")])
def test_a_manifest_that_was_altered_is_named_and_not_listed(place: Place, old: bytes, new: bytes) -> None:
    push(store := place.open())
    place.write(manifest_of(place), place.read(manifest_of(place)).replace(old, new, 1))
    assert store.names() == []
    with pytest.raises(DatasetDamaged, match="tweets@1 is damaged"):
        store.find("tweets@1")


def test_a_manifest_in_the_place_of_another_is_named(place: Place, store: DatasetStore) -> None:
    push(store)
    place.write(manifest_of(place, 7), place.read(manifest_of(place, 1)))
    with pytest.raises(DatasetDamaged, match=r"tweets@7 is damaged: the manifest is that of tweets@1"):
        store.find("tweets@7")


def test_a_missing_and_a_shortened_shard_are_named_and_their_version_is_not_listed(place: Place) -> None:
    push(store := place.open())
    shard, whole = shard_of(place), place.read(shard_of(place))
    place.write(shard, whole[:-1])
    assert (store.versions("tweets"), len(store.damaged("tweets"))) == ([], 1)
    with pytest.raises(DatasetDamaged, match=f"shard 1 .* has {len(whole) - 1} bytes instead of {len(whole)}"):
        store.find("tweets")
    place.delete(shard)
    with pytest.raises(DatasetDamaged, match="shard 1 is missing"):
        store.find("tweets")


def test_a_shard_whose_bytes_were_altered_is_found_out_before_a_row_of_it_is_read(place: Place) -> None:
    push(store := place.open())
    data = bytearray(place.read(shard_of(place)))
    data[20] ^= 1
    place.write(shard_of(place), bytes(data))
    with pytest.raises(DatasetDamaged, match=r"tweets@1 is damaged: shard 1 .*digest"):
        next(store.read("tweets"))
    with pytest.raises(DatasetDamaged):
        store.pull("tweets", Path("never-made"))
    assert push(store) == "tweets@1"  # the same rows again mend it
    assert list(store.read("tweets")) == examples()


def test_what_is_not_there_is_answered_with_what_is(store: DatasetStore) -> None:
    with pytest.raises(NotFound, match="There are: none yet"):
        store.find("tweets")
    push(store)
    with pytest.raises(NotFound, match="There are: tweets"):
        store.find("reviews")
    with pytest.raises(NotFound, match=r"tweets has the versions 1\."):
        store.find("tweets@2")


def test_a_version_remembers_its_parent_and_a_parent_must_exist(store: DatasetStore) -> None:
    push(store)
    child = store.push("tweets", examples("more"), source="tests", parent="tweets@latest")
    assert store.find("tweets@2").parent == child.parent == "tweets@1"
    with pytest.raises(NotFound):
        store.push("tweets", examples("x"), source="tests", parent="tweets@9")


def test_versions_of_one_dataset_share_a_label_set(store: DatasetStore) -> None:
    push(store)
    with pytest.raises(Conflict, match="tweets@1 has negative, neutral, positive; these examples have negative, pos"):
        store.push("tweets", examples()[:2], source="tests")
    version = store.push("tweets", examples()[:2], source="tests", labels=("negative", "neutral", "positive"))
    assert version.labels == ("negative", "neutral", "positive")


def test_a_pulled_folder_holds_the_version_and_another_is_left_alone(store: DatasetStore, tmp_path: Path) -> None:
    push(store), push(store, "more")
    folder = store.pull("tweets@2", tmp_path / "out")
    assert sorted(path.name for path in folder.iterdir()) == ["00000.parquet", "manifest.json"]
    assert store.pull("tweets@2", folder) == folder
    with pytest.raises(Conflict, match="does not hold tweets@1"):
        store.pull("tweets@1", folder)
    (folder / "00000.parquet").write_bytes(b"damaged")
    with pytest.raises(Conflict, match="does not hold tweets@2"):
        store.pull("tweets@2", folder)


def test_shards_are_named_where_other_programs_find_them(place: Place, store: DatasetStore) -> None:
    push(store)
    assert [address.split("/")[-3:] for address in store.shards("tweets")] == [shard_of(place).split("/")]
