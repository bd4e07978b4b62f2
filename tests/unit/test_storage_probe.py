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
from train_jobs.runs.capacity import Need
from train_jobs.runs.storage_probe import Probe, Seen, look, require_shared
from train_jobs.train.prepare import Places

ROOM = Need(1, 1)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    settings = load_settings(home=tmp_path)
    open_datasets(settings).push("toys", examples(30), source="tests")
    return Places.of(settings)


def probe_at(path: Path, places: Places) -> Probe:
    return Probe(str(path), LocalFileSystem(), "n0nce", places, ("toys@1",))


def test_a_node_that_sees_the_storage_answers_there_and_one_that_does_not_says_so(
    tmp_path: Path, places: Places
) -> None:
    probe = probe_at(tmp_path / "kept", places)
    assert look(probe, "two") == Seen(storage="what the driver wrote is not there")
    folder = tmp_path / "kept" / ".undertone-probe-n0nce"
    folder.mkdir(parents=True)
    (folder / "driver").write_text("other")
    assert look(probe, "two").storage == "something else is there"
    (folder / "driver").write_text("n0nce")
    assert look(probe, "two") == Seen()
    assert (folder / "two").read_text() == "n0nce"


def test_a_node_without_the_data_says_what_it_lacks(tmp_path: Path, places: Places) -> None:
    probe = replace(probe_at(tmp_path, places), data=("toys@2",))
    assert "toys@2" in look(probe, "two").data


class Nodes:
    """Stands for Ray: nodes by their ids, what each of them answers, and who was asked."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers, self.asked = answers, []

    def ask(self, nodes: Mapping[str, str], probe: Probe) -> dict[str, Seen]:
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


def away(_: Probe, __: str) -> Seen:
    return Seen("what the driver wrote is not there")


def silent(_: Probe, __: str) -> Seen:
    return Seen()


def empty(probe: Probe, node: str) -> Seen:
    return replace(look(probe, node), data="There is no dataset toys in /data.")


def ask(tmp_path: Path, places: Places, need: Need = ROOM) -> None:
    require_shared(str(tmp_path / "kept"), None, replace(TINY, data="toys@1"), need, places)


def test_nodes_that_share_the_storage_are_asked_and_nothing_is_left_there(
    cluster: Any, tmp_path: Path, places: Places
) -> None:
    asked = cluster({"head": 0, "two": 4, "three": 4}, {"head": look, "two": look, "three": look})
    ask(tmp_path, places)
    assert asked.asked == ["head", "two", "three"]
    assert list((tmp_path / "kept").iterdir()) == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(away, "what the driver wrote is not there"), (silent, "what it writes does not arrive here")],
)
def test_a_node_that_does_not_share_the_storage_is_named_with_the_place_and_the_remedy(
    answer: Any, reason: str, cluster: Any, tmp_path: Path, places: Places
) -> None:
    cluster({"head": 4, "two": 4}, {"head": look, "two": answer})
    with pytest.raises(InvalidInput, match=rf"2 nodes .* {tmp_path}/kept: 10\.0\.0\.2: {reason}\..*s3://") as told:
        ask(tmp_path, places)
    assert told.value.field == "storage"
    assert "10.0.0.1" not in str(told.value)
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_node_without_the_data_is_named_with_the_setting(cluster: Any, tmp_path: Path, places: Places) -> None:
    cluster({"head": 4, "two": 4}, {"head": look, "two": empty})
    with pytest.raises(InvalidInput, match=r"10\.0\.0\.2: There is no dataset toys.*UNDERTONE_DATASETS") as told:
        ask(tmp_path, places)
    assert told.value.field == "data"


def test_nodes_that_get_no_worker_and_a_ray_of_one_node_are_asked_nothing(
    cluster: Any, tmp_path: Path, places: Places
) -> None:
    asked = cluster({"head": 4, "two": 2}, {"two": away})
    ask(tmp_path, places, Need(1, 4))
    assert asked.asked == []
    shutil.rmtree(tmp_path / "kept", ignore_errors=True)
    with pytest.raises(InvalidInput):
        cluster({"head": 0, "two": 2}, {"head": look, "two": away}) and ask(tmp_path, places)
