"""Trials that find no room: told within a minute, once, with what they ask for; and room that an ended one held."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

ray = pytest.importorskip("ray", reason="searching needs the train extra")
pytest.importorskip("torch", reason="searching needs the train extra")

from train_jobs.runs.capacity import ResourceRequest  # noqa: E402
from tune.plan import HyperparameterSearch  # noqa: E402
from tune.progress import free_resources as rooms_module  # noqa: E402
from tune.progress.free_resources import TrialPlacement  # noqa: E402
from tune.progress.waiting import WaitReminder, bundles_of, in_words, is_refused  # noqa: E402
from tune.space import parse_space  # noqa: E402

SPACE = parse_space({"space": {"epochs": {"int": [1, 3]}}})


def search(workers: int = 1) -> HyperparameterSearch:
    return HyperparameterSearch("s", {"data": "toys@1", "model": "cnn"}, SPACE, "random", workers=workers)


def group(state: str, *bundles: dict[str, float]) -> dict[str, Any]:
    return {"state": state, "bundles": dict(enumerate(bundles))}


def trial(name: str, status: str = "PENDING", **last_result: float) -> Any:
    return SimpleNamespace(trial_id=name, status=status, last_result=last_result, config={"epochs": 1})


def test_a_trial_that_waits_is_told_of_within_a_minute_and_then_every_five() -> None:
    patience, told = WaitReminder(), []
    for now_s in range(0, 700, 1):
        if patience.overdue(["a"], float(now_s)):
            told.append(now_s)
            patience.reported(float(now_s))
    assert told == [20, 320, 620]


def test_a_trial_that_begins_is_forgotten_and_waits_anew() -> None:
    patience = WaitReminder()
    assert patience.overdue(["a"], 0.0) == []
    assert patience.overdue(["a", "b"], 19.0) == []
    assert patience.overdue(["b"], 25.0) == []
    assert patience.overdue(["a", "b"], 40.0) == ["b"]


def test_a_trial_that_only_starts_slowly_is_looked_at_every_few_seconds() -> None:
    patience = WaitReminder()
    looks = [now_s for now_s in range(60) if patience.overdue(["a"], float(now_s))]
    assert looks == list(range(20, 60, 5))


@pytest.mark.parametrize(
    ("groups", "refused"),
    [
        ([], False),
        ([group("PENDING", {"CPU": 2.0})], True),
        ([group("RESCHEDULING", {"CPU": 2.0, "memory": 1.0})], True),
        ([group("CREATED", {"CPU": 2.0}), group("REMOVED", {"CPU": 2.0})], False),
        ([group("PENDING", {"CPU": 1.0}), group("PENDING", {"CPU": 2.0}, {"CPU": 2.0})], False),
        ([group("PENDING", {"CPU": 2.0, "GPU": 1.0})], False),
    ],
)
def test_only_a_reservation_of_the_same_size_that_is_pending_means_no_room(groups: list[Any], refused: bool) -> None:
    assert is_refused(bundles_of(ResourceRequest(1, 2)), groups) is refused


def test_the_workers_of_a_trial_reserve_a_bundle_each() -> None:
    assert is_refused(bundles_of(ResourceRequest(2, 1, 0.5)), [group("PENDING", *[{"CPU": 1.0, "GPU": 0.5}] * 2)])


@pytest.mark.parametrize(
    ("count", "need", "words"),
    [
        (1, ResourceRequest(1, 2), "1 trial waits for 2 CPUs on one node; free in the cluster: 1 of 4 CPUs."),
        (3, ResourceRequest(1, 1), "3 trials wait, each for 1 CPU on one node; free in the cluster: 1 of 4 CPUs."),
        (
            1,
            ResourceRequest(2, 1, 1),
            "1 trial waits for 2 workers with 1 CPU and 1 GPU each; free in the cluster: 1 of 4 CPUs, 0 of 1 GPU.",
        ),
    ],
)
def test_the_line_names_what_is_asked_for_and_what_is_free(count: int, need: ResourceRequest, words: str) -> None:
    assert in_words(count, need, {"CPU": 4.0, "GPU": 1.0}, {"CPU": 1.0}).startswith(words)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A full cluster; the names of the trainings whose room is given back."""
    given: list[str] = []
    table = {"1": group("PENDING", {"CPU": 2.0}), "2": group("PENDING", {"CPU": 2.0}, {"CPU": 2.0})}
    monkeypatch.setattr(ray.util, "placement_group_table", lambda: table)
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 4.0})
    monkeypatch.setattr(ray, "available_resources", dict)
    monkeypatch.setattr(rooms_module, "give_room_back", lambda name: given.append(name) or len(given) == 1)
    return given


@pytest.mark.parametrize("workers", [1, 2])
def test_trials_that_wait_are_told_of_once_and_those_that_run_are_not(workers: int, cluster: list[str]) -> None:
    lines: list[str] = []
    rooms = TrialPlacement(search(workers), lambda _: ResourceRequest(workers, 2), lines.append)
    waits = trial("a", "PENDING" if workers == 1 else "RUNNING")
    others = [trial("b", "RUNNING", score=0.5), trial("c", "TERMINATED", score=0.5)]
    for now_s in range(60):
        rooms.look([waits, *others], float(now_s))
    assert len(lines) == 1
    assert lines[0].startswith("1 trial waits")
    assert "0 of 4 CPUs" in lines[0]


def test_what_an_ended_trial_of_ray_train_holds_is_given_back_more_than_once(cluster: list[str]) -> None:
    rooms = TrialPlacement(search(2), lambda _: ResourceRequest(2, 2), lambda _: None)
    rooms.ended("a")
    rooms.look([], 100.0)
    assert cluster == []  # its controller may not be gone yet
    for now_s in (103.0, 116.0, 161.0, 500.0):
        rooms.look([], now_s)
    assert cluster == ["s-a"] * 3


def test_a_trial_in_its_own_process_leaves_no_room_behind(cluster: list[str]) -> None:
    rooms = TrialPlacement(search(), lambda _: ResourceRequest(1, 2), lambda _: None)
    rooms.ended("a")
    rooms.look([], 100.0)
    rooms.look([], 300.0)
    assert cluster == []
