"""`pip install undertone` without extras: what is a client works, what is not names the line that installs it.

The environment is made of links to what the base dependencies need and to the packages that the wheel holds, so that
nothing is downloaded: no other module can be found in it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.fake_api import FakeApi, serving

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = [pattern.rstrip("*") for pattern in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]]


def closure(requirements: list[str], found: set[str] | None = None) -> set[str]:
    """Return the names of the distributions that requirements lead to, without extras."""
    found = set() if found is None else found
    for requirement in map(Requirement, requirements):
        wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if wanted and requirement.name not in found:
            found.add(requirement.name)
            closure(distribution(requirement.name).requires or [], found)
    return found


def link(folder: Path, target: Path) -> None:
    if not (folder / target.name).exists():
        (folder / target.name).symlink_to(target)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that stands for the environment's site-packages."""
    folder = tmp_path_factory.mktemp("site")
    for name in closure(PROJECT["project"]["dependencies"]):
        installed = distribution(name)
        tops = {file.parts[0] for file in installed.files or [] if file.parts[0] not in ("..", "__pycache__")}
        for top in tops:
            link(folder, Path(str(installed.locate_file(top))).resolve())
    for package in PACKAGES:
        link(folder, ROOT / package)
    return folder


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(FakeApi()) as url:
        yield url


@pytest.fixture
def undertone(site, tmp_path):
    """Return a function that runs the command in the environment, in a folder and with a home of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("UNDERTONE_")}
    environment |= {"PYTHONPATH": str(site), "UNDERTONE_HOME": str(tmp_path / "home"), "COLUMNS": "300"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-S", "-W", "error", "-m", "cli.main", *arguments]
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    return run


def test_the_environment_holds_the_base_dependencies_alone(site):
    assert {"httpx", "pyarrow", "pydantic", "typer", "cli", "sentiment"} <= {path.name for path in site.iterdir()}
    command = [sys.executable, "-S", "-c", "import ray"]
    assert (
        "No module named 'ray'"
        in subprocess.run(command, env={"PYTHONPATH": str(site)}, capture_output=True, text=True).stderr
    )


def test_texts_are_classified(undertone, url):
    done = undertone("predict", "great", "awful", "--url", url, "--json")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["label"] for line in done.stdout.splitlines()] == ["positive", "negative"]


@pytest.mark.parametrize("result", ["out.csv", "out.parquet"])
def test_a_table_is_classified(undertone, url, tmp_path, result):
    (tmp_path / "texts.csv").write_text("text,when\ngreat,1\nso so,2\n")
    done = undertone("classify-file", "texts.csv", "--out", result, "--url", url)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / result).stat().st_size


def test_a_rollout_is_begun_and_watched(undertone, url):
    begun = undertone("rollout", "start", "8", "--url", url, "--json")
    assert begun.returncode == 0, begun.stderr
    shown = undertone("rollout", "status", "--url", url)
    assert shown.returncode == 0, shown.stderr
    assert "step 10" in shown.stdout


def test_keys_are_made_listed_and_revoked(undertone):
    assert undertone("keys", "add", "shop", "--scope", "predict").returncode == 0
    assert "shop" in undertone("keys", "list").stdout
    assert undertone("keys", "revoke", "shop").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("up",), "undertone[serve,ui]"),
        (("models", "list"), "undertone[train]"),
        (("train", "--data", "tweets@1"), "undertone[train]"),
        (("score", "texts.csv", "--model", "champion", "--out", "scores"), "undertone[train]"),
    ],
)
def test_what_needs_an_extra_names_the_line_that_installs_it(undertone, arguments, extra):
    done = undertone(*arguments)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"pip install '{extra}'" in done.stderr
