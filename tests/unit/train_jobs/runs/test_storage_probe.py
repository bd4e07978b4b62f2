"""What a node says of a storage and of data, and what a user is told when one of them does not see them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs the train extra")
pytest.importorskip("ray", reason="training needs the train extra")

from pyarrow.fs import LocalFileSystem

from sentiment.datasets import open_datasets
from sentiment.errors import InvalidInput
from sentiment.settings import load_settings
from tests.tiny_training import TINY, examples
from train_jobs.runs import storage_probe
from train_jobs.runs.capacity import ResourceRequest
from train_jobs.runs.storage_probe import NodeFindings, StorageProbe, look, require_shared
from train_jobs.train.prepare import RunLocations

ROOM = ResourceRequest(1, 1)


@pytest.fixture
def places(tmp_path: Path) -> RunLocations:
    settings = load_settings(home=tmp_path)
    open_datasets(settings).push("toys", examples(30), source="tests")
    return RunLocations.of(settings)


def probe_at(path: Path, places: RunLocations) -> StorageProbe:
    return StorageProbe(str(path), LocalFileSystem(), "n0nce", places, ("toys@1",))


def test_a_node_that_sees_the_storage_answers_there_and_one_that_does_not_says_so(
    tmp_path: Path, places: RunLocations
) -> None:
    probe = probe_at(tmp_path / "kept", places)
    assert look(probe, "two") == NodeFindings(storage="the file that the driver wrote is not there")
    folder = tmp_path / "kept" / ".undertone-probe-n0nce"
    folder.mkdir(parents=True)
    (folder / "driver").write_text("other")
    assert look(probe, "two").storage == "it reads another file than the driver wrote"
    (folder / "driver").write_text("n0nce")
    assert look(probe, "two") == NodeFindings()
    assert (folder / "two").read_text() == "n0nce"


def test_a_node_without_the_data_says_what_it_lacks(tmp_path: Path, places: RunLocations) -> None:
    probe = replace(probe_at(tmp_path, places), data=("toys@2",))
    assert "toys@2" in look(probe, "two").data


class Nodes:
    """Stands for Ray: nodes by their ids, what each of them answers, and who was asked."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers, self.asked = answers, []

    def ask(self, nodes: Mapping[str, str], probe: StorageProbe) -> dict[str, NodeFindings]:
        self.asked.extend(nodes)
        return {node: answer(probe, node) for node, answer in self.answers.items() if node in nodes}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    def of(cpus: Mapping[str, float], answers: Mapping[str, Any]) -> Nodes:
        found = Nodes(answers)
        listed = [
            {"NodeID": node, "NodeManagerAddress": f"10.0.0.{number}", "Resources": {"CPU": held}}
            for number, (node, held) in enumerate(cpus.items(), 1)
        ]
        monkeypatch.setattr(storage_probe, "alive_nodes", lambda: listed)
        monkeypatch.setattr(storage_probe, "_ask", found.ask)
        own = SimpleNamespace(get_node_id=lambda: "head")
        monkeypatch.setattr(storage_probe.ray, "get_runtime_context", lambda: own)
        return found

    return of


def away(_: StorageProbe, __: str) -> NodeFindings:
    return NodeFindings("the file that the driver wrote is not there")


def silent(_: StorageProbe, __: str) -> NodeFindings:
    return NodeFindings()


def empty(probe: StorageProbe, node: str) -> NodeFindings:
    return replace(look(probe, node), data="There is no dataset toys in /data.")


def ask(tmp_path: Path, places: RunLocations, need: ResourceRequest = ROOM) -> None:
    require_shared(str(tmp_path / "kept"), None, replace(TINY, data="toys@1"), need, places)


def test_nodes_that_share_the_storage_are_asked_and_nothing_is_left_there(
    cluster: Any, tmp_path: Path, places: RunLocations
) -> None:
    asked = cluster({"head": 0, "two": 4, "three": 4}, {"head": look, "two": look, "three": look})
    ask(tmp_path, places)
    assert asked.asked == ["head", "two", "three"]
    assert list((tmp_path / "kept").iterdir()) == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (away, "the file that the driver wrote is not there"),
        (silent, "the file that it wrote is not visible to the driver"),
    ],
)
def test_a_node_that_does_not_share_the_storage_is_named_with_the_place_and_the_remedy(
    answer: Any, reason: str, cluster: Any, tmp_path: Path, places: RunLocations
) -> None:
    cluster({"head": 4, "two": 4}, {"head": look, "two": answer})
    with pytest.raises(InvalidInput, match=rf"2 nodes .* {tmp_path}/kept: 10\.0\.0\.2: {reason}\..*s3://") as told:
        ask(tmp_path, places)
    assert told.value.field == "storage"
    assert "10.0.0.1" not in str(told.value)
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_node_without_the_data_is_named_with_the_setting(cluster: Any, tmp_path: Path, places: RunLocations) -> None:
    cluster({"head": 4, "two": 4}, {"head": look, "two": empty})
    with pytest.raises(InvalidInput, match=r"10\.0\.0\.2: There is no dataset toys.*UNDERTONE_DATASETS") as told:
        ask(tmp_path, places)
    assert told.value.field == "data"


def test_nodes_that_get_no_worker_and_a_ray_of_one_node_are_asked_nothing(
    cluster: Any, tmp_path: Path, places: RunLocations
) -> None:
    asked = cluster({"head": 4, "two": 2}, {"two": away})
    ask(tmp_path, places, ResourceRequest(1, 4))
    assert asked.asked == []
    shutil.rmtree(tmp_path / "kept", ignore_errors=True)
    with pytest.raises(InvalidInput):
        cluster({"head": 0, "two": 2}, {"head": look, "two": away}) and ask(tmp_path, places)
