"""Commands as jobs of a cluster: what is sent, what is refused, and an address that is none."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("torch", reason="training needs the train extra")
import ray
from typer.testing import CliRunner

from cli.main import app
from cli.offline.cluster import refuse_unseen
from sentiment.errors import InvalidInput, Unavailable
from sentiment.settings import Settings
from train_jobs.runtime import ray_cluster
from train_jobs.runtime.options import read_options
from train_jobs.runtime.output import OUTCOME
from train_jobs.runtime.ray_cluster import join
from train_jobs.score import run as score_job
from train_jobs.score.job import ScoringResult, Totals
from train_jobs.score.options import ScoreOptions
from train_jobs.score.shards import ShardResult
from train_jobs.train.ray_train import ray_running
from tune import search as tune_job
from tune.options import SearchOptions

AWAY, HERE = "http://ray.example:8265", "http://127.0.0.1:8265"


class Cluster:
    """Stands for a cluster: remembers what is submitted, and answers with an outcome."""

    def __init__(self) -> None:
        self.jobs: list[tuple[str, list[str], str]] = []
        self.outcome: dict[str, Any] = {}

    def submit(self, module: str, arguments: Sequence[str], address: str, *_: Any) -> Iterator[str]:
        self.jobs.append((module, list(arguments), address))
        yield "trial 1 of 2: ended"
        yield f"{OUTCOME}{json.dumps(self.outcome)}"


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    found = Cluster()
    monkeypatch.setattr("train_jobs.runtime.submit.submit", found.submit)
    return found


def run(*words: str, fails: bool = False) -> Any:
    result = CliRunner().invoke(app, list(words))
    assert (result.exit_code != 0) == fails, result.output
    return result


def test_a_search_is_submitted_with_what_its_files_say_and_the_best_is_written_here(
    cluster: Cluster, tmp_path: Path
) -> None:
    (tmp_path / "space.yaml").write_text("train: {epochs: 2}\nspace: {learning_rate: {choice: [1.0e-5, 0.1]}}\n")
    best = {"name": "s-1", "point": {"learning_rate": 0.1}, "score": 0.7}
    trial = {**best, "validations": 2, "seconds": 1.0, "state": "finished", "reason": None}
    found = {"search": "mine", "method": "grid", "monitor": "macro_recall", "best": best, "trials": [trial]}
    cluster.outcome = {**found, "configuration": {"learning_rate": 0.1}, "config": "/elsewhere", "run_id": "7"}
    options = ["--search", "grid", "--data", "toys@1", "--model", "cnn", "--name", "mine", "--set", "seed=7"]
    places = ["--space", str(tmp_path / "space.yaml"), "--out", str(tmp_path / "best.yaml"), "--home", str(tmp_path)]
    result = run("tune", *options, *places, "--address", AWAY)
    [(module, arguments, address)] = cluster.jobs
    assert (module, address) == ("tune.search", AWAY)
    asked = tune_job.search_of(read_options(SearchOptions, "", "", arguments))
    assert (asked.name, asked.method, asked.draws) == ("mine", "grid", 2)
    assert [each.values for each in asked.space.dimensions] == [(1e-5, 0.1)]
    config = asked.config_at({"learning_rate": 0.1})
    assert (config.model, config.data, config.epochs, config.seed) == ("cnn", "toys@1", 2, 7)
    assert yaml.safe_load((tmp_path / "best.yaml").read_text()) == {"learning_rate": 0.1}
    assert result.stderr.splitlines()[:1] == ["trial 1 of 2: ended"], "only the job can say that the search begins"


def test_a_search_that_the_cluster_does_not_take_has_not_begun(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def submit(*_: Any) -> Iterator[str]:
        raise Unavailable("the Ray cluster takes no job")
        yield

    monkeypatch.setattr("train_jobs.runtime.submit.submit", submit)
    monkeypatch.chdir(tmp_path)
    words = ["--data", "toys@1", "--space", "dropout", "--name", "mine", "--home", str(tmp_path)]
    result = run("tune", *words, "--address", AWAY, fails=True)
    assert "takes no job" in result.stderr
    assert "begins" not in result.stderr


def test_a_scoring_is_submitted_and_its_outcome_shown(cluster: Cluster, tmp_path: Path) -> None:
    renamed = {"predicted_label": "label", "predicted_score": "score"}
    done = ShardResult("part-00000-000000", "a.csv", "scored/x", 4, 1, {"positive": 3}, 2.7, renamed=renamed)
    totals = Totals.of([done])
    outcome = ScoringResult("s3://bucket/scored", totals, 2, changed=("a.csv",))
    cluster.outcome = outcome.plain()
    words = ["s3://bucket/texts", "--model", "champion", "--out", "s3://bucket/scored", "--gpus", "1", "--overwrite"]
    words += ["--delimiter", ";", "--quoting", "none"]
    result = run("score", *words, "--address", AWAY, "--home", str(tmp_path), "--json")
    assert json.loads(result.stdout) == cluster.outcome
    assert ScoringResult.read(json.loads(result.stdout)) == outcome
    [(module, arguments, _)] = cluster.jobs
    assert module == "train_jobs.score"
    options = read_options(ScoreOptions, "", "", arguments)
    assert (options.source, options.model, options.out) == ("s3://bucket/texts", "champion", "s3://bucket/scored")
    assert (options.gpus, options.most, options.overwrite, options.shard_rows) == (1.0, 2, True, 2000)
    assert (options.delimiter, options.quoting) == (";", "none")
    shown = run("score", *words, "--address", AWAY, "--home", str(tmp_path)).stderr
    assert "positive" in shown
    assert shown.splitlines()[-1] == (
        "Some files have columns named label, score already; there the new ones are predicted_label, predicted_score."
    )


@pytest.mark.parametrize(
    ("words", "called"),
    [
        (["train", "--data", "toys@1", "--backbone", "{there}"], "--backbone"),
        (["distill", "--data", "toys@1", "--teacher", "{there}"], "--teacher"),
        (["distill", "--data", "toys@1", "--teacher", "8", "--unlabelled", "{there}"], "--unlabelled"),
        (["train", "--data", "toys@1", "--set", "distill.teacher={there}"], "--teacher"),
        (["evaluate", "{there}", "--data", "toys@1"], "MODEL"),
        (["evaluate", "8", "--data", "toys@1", "--against", "{there}"], "--against"),
        (["compare", "--data", "toys@1", "--versions", "{there}"], "--versions"),
        (["compare", "--data", "toys@1", "--models", "student", "--set", "student.distill.teacher={there}"], "student"),
        (["score", "{there}", "--model", "8", "--out", "s3://b/out"], "SOURCE"),
        (["score", "s3://b/in", "--model", "{there}", "--out", "s3://b/out"], "--model"),
        (["score", "s3://b/in", "--model", "8", "--out", "scored"], "--out"),
        (["tune", "--data", "toys@1", "--space", "dropout", "--set", "backbone={there}"], "--backbone"),
        (
            ["tune", "--data", "toys@1", "--space", '{{"space": {{"backbone": {{"choice": ["{there}"]}}}}}}'],
            "--backbone",
        ),
        (
            [
                "tune",
                "--data",
                "toys@1",
                "--space",
                '{{"space": {{"distill.teacher": {{"choice": ["8", "{there}"]}}}}}}',
            ],
            "--teacher",
        ),
        (["train", "--data", "toys@1", "--storage", "{there}"], "--storage"),
        (["train", "--data", "toys@1", "--storage", "runs"], "--storage"),
        (["distill", "--data", "toys@1", "--teacher", "8", "--storage", "runs"], "--storage"),
        (["tune", "--data", "toys@1", "--space", "dropout", "--storage", "searches"], "--storage"),
        (["tune", "--data", "toys@1", "--space", "dropout", "--storage", "~nobody-of-this-name/x"], "--storage"),
    ],
)
def test_what_only_this_machine_sees_is_not_sent_to_a_cluster(
    words: list[str], called: str, cluster: Cluster, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    filled = [word.format(there=tmp_path / "there") for word in words]
    result = run(*filled, "--address", AWAY, "--home", str(tmp_path), fails=True)
    assert f"Error: {called} " in result.stderr
    is_lost = called in ("--out", "--storage") and "{there}" not in words
    why = "would be made in the working folder of a job" if is_lost else "lies on this machine, and the job runs on the"
    assert why in result.stderr
    assert cluster.jobs == []


def test_a_full_path_goes_to_a_cluster_on_this_machine_and_a_path_in_the_working_folder_to_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    refuse_unseen([("--backbone", str(tmp_path / "there"))], HERE)
    refuse_unseen([("--backbone", "there")], AWAY, str(tmp_path))
    refuse_unseen([("--backbone", "owner/name"), ("--teacher", "models:/sentiment/7"), ("--model", None)], AWAY)
    refuse_unseen([("--backbone", "~nobody-of-this-name/model")], AWAY)
    refuse_unseen([], AWAY, outputs=[("--out", "/shared/scored"), ("--storage", None), ("--storage", "s3://b/runs")])
    refuse_unseen([], HERE, outputs=[("--storage", str(tmp_path / "there"))])
    with pytest.raises(InvalidInput, match=r"--storage there would be made .*: name s3://… or a full path"):
        refuse_unseen([], AWAY, str(tmp_path), outputs=[("--storage", "there")])
    for address in (HERE, AWAY):
        with pytest.raises(InvalidInput, match="--backbone there lies on this machine"):
            refuse_unseen([("--backbone", "there")], address)


def test_each_version_to_compare_is_looked_at_and_the_option_alone_is_the_field(
    cluster: Cluster, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    refs = f"models:/sentiment/7,{tmp_path}/there"
    result = run(
        "compare", "--data", "toys@1", "--versions", refs, "--address", AWAY, "--home", str(tmp_path), fails=True
    )
    assert f"Error: --versions {tmp_path}/there lies on this machine" in result.stderr
    with pytest.raises(InvalidInput) as caught:
        refuse_unseen([("--versions", "models:/sentiment/7"), ("--versions", str(tmp_path / "there"))], AWAY)
    assert caught.value.field == "versions"
    assert cluster.jobs == []


@pytest.mark.parametrize(
    "refusal",
    [
        ValueError("Invalid Ray address: 'http://head:8265'.\nmore"),
        ConnectionError("Could not find any running Ray instance."),
        RuntimeError("timed out"),
        ray.exceptions.AuthenticationError("no token"),
    ],
)
def test_a_cluster_that_cannot_be_joined_is_told_with_its_address_and_the_remedy(
    refusal: Exception, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(**_: Any) -> None:
        raise refusal

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refuse)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    told = r"no Ray cluster to join at head:1: .*HOST:6379.*http://HOST:8265"
    with pytest.raises(Unavailable, match=told):
        join("head:1")
    with pytest.raises(Unavailable, match=told), ray_running("head:1"):
        pass
    with pytest.raises(Unavailable, match=told), score_job.ray_started(Settings(home=tmp_path, address="head:1")):
        pass


@pytest.mark.parametrize(
    ("address", "known"), [("10.0.0.1:6379", {"RAY_ADDRESS": "10.0.0.1:6379"}), ("auto", {}), (None, {})]
)
def test_workers_of_a_training_know_the_cluster_that_was_joined_beside_any_other_ray(
    address: str | None, known: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setattr(ray, "init", lambda **options: started.append(options["runtime_env"]["env_vars"]))
    with ray_running(address):
        pass
    (variables,) = started
    assert {name: value for name, value in variables.items() if name == "RAY_ADDRESS"} == known
    assert int(variables["TUNE_FUNCTION_THREAD_TIMEOUT_S"]) > 30
    assert ("PYTHONPATH" in variables) == (address is None)  # a cluster has its own code


def test_a_scoring_that_is_a_job_of_a_cluster_joins_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    joined: list[str] = []
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setattr(ray_cluster, "join", lambda address, _: joined.append(address))
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    with score_job.ray_started(Settings(home=tmp_path)):
        assert joined == ["10.0.0.1:6379"]
