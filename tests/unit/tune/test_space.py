"""Search spaces: how they are written, what is refused, and what a search makes of one."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from sentiment.errors import InvalidInput
from sentiment.registry.tracking import ended
from sentiment.training.config import from_mapping
from train_jobs.runtime.locations import Location
from tune.options import SearchOptions
from tune.plan import HyperparameterSearch, Trial, best_of, check, ranked
from tune.results import MlflowTrials, plain, require_writable, write_best
from tune.search import search_of
from tune.space import configured, parse_space, read_space, shipped_spaces

SPACE = {"space": {"learning_rate": {"choice": [0.1, 0.01]}, "epochs": {"int": [1, 3]}}}


def search(**changes: Any) -> HyperparameterSearch:
    facts = {"name": "s", "base": {"data": "toys@1", "model": "cnn"}, "space": parse_space(SPACE), "method": "grid"}
    return HyperparameterSearch(**{**facts, **changes})


def test_a_space_that_is_no_text_is_named(tmp_path):
    (tmp_path / "space.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInput, match=r"space\.yaml cannot be read as YAML in UTF-8"):
        read_space(str(tmp_path / "space.yaml"))


def test_numbers_that_yaml_reads_as_text_are_numbers() -> None:
    space = parse_space(yaml.safe_load("space: {learning_rate: {loguniform: [1e-5, 1e-3]}}"))
    assert space.dimensions[0].values == (1e-5, 1e-3)


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ({"learning_rate": 0.1}, "loguniform"),
        ({"learning_rate": {"normal": [0, 1]}}, "'normal'"),
        ({"learning_rate": {"uniform": [0.1]}}, "two ends"),
        ({"learning_rate": {"uniform": [0.2, 0.1]}}, "low < high"),
        ({"learning_rate": {"loguniform": [0, 0.1]}}, "above 0"),
        ({"learning_rate": {"uniform": ["fast", 1]}}, "'fast'"),
        ({"learning_rate": {"int": [1, 2.5]}}, "2.5"),
        ({"learning_rate": {"int": [True, 3]}}, "true"),
        ({"learning_rate": {"choice": []}}, "list"),
        ({"learning_rate": {"choice": [0.1, 0.1]}}, "twice"),
        ({"learning_rate": {"choice": [[1], [2]]}}, "plain values"),
        ({"learning_rate": {"choice": [0.1, {"low": 0.1}]}}, "plain values"),
        ({"learning_rate": {"choice": [0.1, float("nan")]}}, "plain values"),
        ({"learning_rate": {"choice": [0.1, float("inf")]}}, "plain values"),
        ({"learning_rate": {"choice": [0.1, date(2026, 1, 31)]}}, "plain values"),
        ({"learning_rate": {"choice": [1], "int": [1, 2]}}, "write"),
    ],
)
def test_a_wrong_dimension_is_refused_by_its_fields_name(spec: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidInput, match=named) as caught:
        parse_space({"space": spec})
    assert caught.value.field == "learning_rate"
    assert "learning_rate" in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [None, [], {}, {"space": {}}, {"space": 3}, {**SPACE, "trials": 5}, {**SPACE, "train": 3}],
    ids=str,
)
def test_what_is_no_space_is_refused(content: Any) -> None:
    with pytest.raises(InvalidInput):
        parse_space(content)


def test_a_field_that_varies_may_not_be_fixed_too() -> None:
    with pytest.raises(InvalidInput, match="epochs"):
        parse_space({**SPACE, "train": {"epochs": 3}})


@pytest.mark.parametrize("name", shipped_spaces())
def test_every_shipped_space_makes_configurations_that_train_takes(name: str) -> None:
    space = read_space(name)
    base = configured({"data": "reviews@1", "model": "cnn"}, space.shared)
    check(search(base=base, space=space, method="random"))


def test_the_dropout_sweep_tries_the_three_rates_for_five_epochs() -> None:
    asked = search_of(SearchOptions(space="dropout", search="grid", data="reviews@1", model="cnn"))
    configs = [asked.config_at(point) for point in asked.points]
    assert [config.overrides["dropout"] for config in configs] == [0.5, 0.2, 0.1]
    assert {(config.epochs, config.model, config.data) for config in configs} == {(5, "cnn", "reviews@1")}


def test_a_space_that_is_not_there_or_not_yaml_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="dropout"):
        read_space(str(tmp_path / "none.yaml"))
    (tmp_path / "broken.yaml").write_text("space: {a: [")
    with pytest.raises(InvalidInput, match="YAML"):
        read_space(str(tmp_path / "broken.yaml"))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"trials": 0}, "trials"),
        ({"trials": -3, "method": "random"}, "trials"),
        ({"trials": 10_001, "method": "random"}, "trials"),
        ({"space": parse_space({"space": {"seed": {"int": [1, 10**12]}}})}, "trials"),
        ({"concurrent": 0}, "concurrent"),
        ({"workers": 0}, "workers"),
        ({"gpus_per_worker": -1.0}, "gpus_per_worker"),
        ({"gpus_per_worker": float("nan")}, "gpus_per_worker"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**32}, "seed"),
        ({"base": {"model": "cnn"}}, "data"),
        ({"method": "spiral"}, "search"),
        ({"space": parse_space({"space": {"learning_rat": {"choice": [1]}}})}, "learning_rat"),
        ({"space": parse_space({"space": {"epochs": {"choice": [1, -1]}}})}, "epochs"),
        ({"space": parse_space({"space": {"warm_up": {"uniform": [0, 3]}}}), "method": "random"}, "warm_up"),
        ({"space": parse_space({"space": {"warm_up": {"uniform": [0, 1]}}})}, "warm_up"),
    ],
)
def test_a_search_that_could_not_run_is_refused_before_it_begins(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(search(**changes))
    assert caught.value.field == field


def test_options_win_over_the_space_and_the_space_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("epochs: 9\nbatch_rows: 7\nmodel: lstm\n")
    (tmp_path / "space.yaml").write_text("train: {epochs: 4}\nspace: {overrides.dropout: {choice: [0.2]}}\n")
    files = {"space": str(tmp_path / "space.yaml"), "config": str(tmp_path / "base.yaml")}
    asked = search_of(SearchOptions(**files, search="grid", data="toys@1", model="cnn"))
    config = asked.config_at(asked.points[0])
    assert (config.epochs, config.batch_rows, config.model, config.overrides["dropout"]) == (4, 7, "cnn", 0.2)


def trial(name: str, score: float | None, **point: Any) -> Trial:
    state = "finished" if score is not None else "failed"
    return Trial(name, point, state, score, 2, 1.5, {"validation_loss": 0.4}, None if score else "out of memory")


TRIALS = [trial("a", 0.6, learning_rate=0.1, epochs=1), trial("b", None), trial("c", 0.7, learning_rate=0.01, epochs=2)]


def test_the_best_configuration_is_written_as_training_takes_it(tmp_path: Path) -> None:
    out = tmp_path / "made" / "best.yaml"
    write_best(plain(search(), TRIALS, out, None), out)
    config = from_mapping(yaml.safe_load(out.read_text()))
    assert (config.learning_rate, config.epochs, config.data, config.model) == (0.01, 2, "toys@1", "cnn")
    assert "0.7000" in out.read_text().splitlines()[0]
    assert [entry.name for entry in out.parent.iterdir()] == ["best.yaml"]


def test_trials_are_ranked_and_one_without_a_score_is_last() -> None:
    assert [found.name for found in ranked(TRIALS)] == ["c", "a", "b"]
    told = plain(search(), TRIALS, Path("best.yaml"), "run")
    assert told["best"]["name"] == "c"
    assert [found["state"] for found in told["trials"]] == ["finished", "finished", "failed"]
    assert told["monitor"] == "macro_recall"


def test_a_search_without_any_score_tells_why() -> None:
    with pytest.raises(InvalidInput, match="out of memory"):
        best_of([trial("b", None)])


class Book:
    """A tracker that remembers what it is told, and so do its runs."""

    def __init__(self) -> None:
        self.runs: dict[str, list[Any]] = {}

    def run(self, name: str, params: Any, tags: Any, *, experiment: str) -> Any:
        assert name not in self.runs, "a run stands there already"
        self.runs[name] = [dict(params), dict(tags)]
        return self.again(f"id-of-{name}")

    def again(self, run_id: str) -> Any:
        told: list[Any] = self.runs[run_id.removeprefix("id-of-")]

        class Run:
            def __init__(self) -> None:
                self.run_id = run_id

            def log(self, metrics: Any, step: int) -> None:
                told.append((step, dict(metrics)))

            def artifact(self, path: Path, folder: str | None = None) -> None:
                told.append(path)

            def finish(self, status: str = "FINISHED") -> None:
                told.append(status)

        return Run()


DIGESTS = {"toys@1": "1" * 64, "toys@2": "2" * 64}


def test_each_trial_is_a_run_below_that_of_its_search(tmp_path: Path) -> None:
    book = Book()
    trials = MlflowTrials(book, search(), DIGESTS, Location(str(tmp_path)))  # type: ignore[arg-type]
    trials.started("t1", {"learning_rate": 0.1})
    trials.validated("t1", {"score": 0.5}, 1)
    trials.started("t1", {"learning_rate": 0.1})
    trials.validated("t1", {"score": 0.6}, 2)
    trials.ended("t1", failed=False)
    trials.started("t2", {"learning_rate": 0.01, "data": "toys@2"})
    trials.ended("t2", failed=True)
    with ended(trials.parent):
        trials.tell(TRIALS, Path("best.yaml"))
    assert book.runs["t1"][1]["mlflow.parentRunId"] == "id-of-s"
    assert book.runs["t1"][2:] == [(1, {"score": 0.5}), (2, {"score": 0.6}), "FINISHED"]
    assert book.runs["t2"][-1] == "FAILED"
    assert book.runs["s"][0]["method"] == "grid"
    assert book.runs["s"][2:] == [(0, {"best_score": 0.7, "validation_loss": 0.4}), Path("best.yaml"), "FINISHED"]
    told = {name: (tags["dataset"], tags["dataset_digest"]) for name, (_, tags, *_) in book.runs.items()}
    one, two = DIGESTS.items()
    assert told == {"s": one, "t1": one, "t2": two}


def test_a_search_that_is_taken_up_goes_on_in_its_runs(tmp_path: Path) -> None:
    book, place = Book(), Location(str(tmp_path))
    for _ in range(2):  # two processes, one after the other
        trials = MlflowTrials(book, search(), DIGESTS, place)  # type: ignore[arg-type]
        trials.started("t1", {"learning_rate": 0.1})
    trials.started("t2", {"learning_rate": 0.01})
    assert list(book.runs) == ["s", "t1", "t2"]
    assert trials.parent.run_id == "id-of-s"
    assert all(book.runs[name][1]["mlflow.parentRunId"] == "id-of-s" for name in ("t1", "t2"))


def test_a_file_for_the_best_that_cannot_be_written_is_told_before_the_search(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match=r"best\.yaml cannot be written .*: name another --out"):
        require_writable(tmp_path / "file" / "best.yaml")
    with pytest.raises(InvalidInput, match="is a folder: name a file"):
        require_writable(tmp_path)
    require_writable(tmp_path / "best.yaml")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_space_travels_as_json_and_stays_the_same() -> None:
    space = parse_space({"space": {"learning_rate": {"choice": [1e-5, 3]}, "warm_up": {"uniform": [0, 0.2]}}})
    sent = json.dumps({"space": {each.field: each.plain() for each in space.dimensions}})
    assert read_space(sent) == space


def test_a_point_that_leads_into_what_is_no_mapping_is_refused() -> None:
    with pytest.raises(InvalidInput, match="overrides is 5; it must be a mapping"):
        configured({"overrides": 5}, {"overrides.dropout": 0.2})
