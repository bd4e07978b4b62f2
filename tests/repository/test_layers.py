"""Who may import whom, and where each outside library lives. No exemptions; what fails names its file and line."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("sentiment", "deployments", "serve_app", "train_jobs", "tune", "gradio_ui", "cli")
ALLOWED = {
    "sentiment": set(),
    "deployments": {"sentiment"},
    "train_jobs": {"sentiment"},
    "serve_app": {"sentiment", "deployments"},
    "tune": {"sentiment", "train_jobs"},
    "gradio_ui": {"sentiment"},
    "cli": set(PACKAGES) - {"cli"},
}
#: What the rooms of serve_app may import of serve_app; the longest prefix of a file's path counts.
ROOMS = {
    "serve_app/": ("serve_app/",),
    "serve_app/routing/": ("serve_app/routing/",),
    "serve_app/gateway/batching/": ("serve_app/gateway/batching/",),
    "serve_app/gateway/inference/": ("serve_app/gateway/inference/", "serve_app/routing/"),
    "serve_app/gateway/canary/": ("serve_app/gateway/canary/", "serve_app/gateway/inference/", "serve_app/routing/"),
    "serve_app/gateway/prediction/": (
        "serve_app/gateway/prediction/",
        "serve_app/gateway/canary/",
        "serve_app/gateway/inference/",
        "serve_app/gateway/batching/",
        "serve_app/routing/",
    ),
    "serve_app/gateway/http/": (
        "serve_app/edge_contract.py",
        "serve_app/gateway/",
        "serve_app/rollout/",
        "serve_app/routing/",
    ),
    "serve_app/supervisor/": (
        "serve_app/edge_contract.py",
        "serve_app/on_cluster/record.py",
        "serve_app/supervisor/",
    ),
    "serve_app/on_cluster/": (
        "serve_app/on_cluster/",
        "serve_app/supervisor/state.py",
        "serve_app/supervisor/probe.py",
        "serve_app/rollout/cluster/",
    ),
    "serve_app/rollout/": ("serve_app/rollout/", "serve_app/routing/"),
    "serve_app/rollout/policy/": ("serve_app/rollout/policy/", "serve_app/routing/"),
}
#: An outside library, and the only places that may import it.
HOMES = {
    "fastapi": ("serve_app/gateway/http/",),
    "fasttext": ("sentiment/language/identifier.py",),
    "gradio": ("gradio_ui/",),
    "lark": ("sentiment/insight/",),
    "mlflow": ("sentiment/registry/",),
    "pymongo": ("sentiment/store/mongo.py", "sentiment/store/mongo_changes.py"),
    "plotly": ("gradio_ui/",),
    "tantivy": ("sentiment/insight/",),
    "openpyxl": ("sentiment/tables/excel_files.py",),
    "boto3": ("sentiment/datasets/",),
    "simplemma": ("sentiment/text/steps.py",),
    "snowballstemmer": ("sentiment/text/steps.py",),
    "typer": ("cli/", "train_jobs/", "gradio_ui/__main__.py"),
    "ray": (
        "deployments/",
        "serve_app/app.py",
        "serve_app/ray_node.py",
        "serve_app/gateway/deployment.py",
        "serve_app/gateway/remote.py",
        "serve_app/gateway/metrics.py",
        "serve_app/on_cluster/application.py",
        "serve_app/rollout/controller.py",
        "serve_app/rollout/cluster/",
        "train_jobs/",
        "tune/",
    ),
    "starlette": ("serve_app/gateway/http/",),
    "torch": (
        "sentiment/training/export.py",
        "sentiment/models/",
        "sentiment/predictor/torch_engine.py",
        "sentiment/training/",
        "train_jobs/",
        "tune/",
    ),
}
#: Modules that decide: what they return depends on what they are given alone.
PURE = "serve_app/rollout/policy/"
IMPURE = {"asyncio", "random", "time", "sentiment.store", "sentiment.registry"}
#: The one module that may use names of Ray's that are not public.
RAY_INTERNALS = "serve_app/rollout/cluster/serve_internals.py"
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


class Import(NamedTuple):
    """One name that a file imports, wherever in it: `place` is the file and line, `module` what it imports from."""

    place: str
    module: str
    name: str


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports_of(path: Path) -> Iterator[Import]:
    """Yield every import of a file, lazy ones and those for type checkers included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        place = f"{name_of(path)}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import):
            yield from (Import(place, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{place}: relative import"
            yield from (Import(place, node.module or "", alias.name) for alias in node.names)


def file_of(found: Import) -> str:
    """Return the file of this project that an import reads, as a path; empty for an outside library."""
    whole = f"{found.module}.{found.name}".strip(".").replace(".", "/")
    module = found.module.replace(".", "/")
    names = (f"{whole}.py", f"{whole}/__init__.py", f"{module}.py", f"{module}/__init__.py")
    return next((name for name in names if (ROOT / name).is_file()), "")


def root_of(found: Import) -> str:
    return found.module.split(".")[0]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_module_imports_only_layers_below_its_own(path):
    package = path.relative_to(ROOT).parts[0]
    allowed = ALLOWED[package] | {package}
    assert not [each for each in imports_of(path) if root_of(each) in PACKAGES and root_of(each) not in allowed]


@pytest.mark.parametrize("path", [path for path in SOURCES if name_of(path).startswith("serve_app/")], ids=name_of)
def test_a_room_imports_only_rooms_that_it_may(path):
    room = max((room for room in ROOMS if name_of(path).startswith(room)), key=len)
    ours = [each for each in imports_of(path) if root_of(each) == "serve_app"]
    assert not [each for each in ours if not file_of(each).startswith(ROOMS[room])]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_each_outside_library_is_imported_in_its_home_only(path):
    homes = {library: places for library, places in HOMES.items() if not name_of(path).startswith(places)}
    assert not [each for each in imports_of(path) if root_of(each) in homes]


@pytest.mark.parametrize("path", [path for path in SOURCES if name_of(path).startswith(PURE)], ids=name_of)
def test_what_decides_is_pure(path):
    assert not [each for each in imports_of(path) if each.module in IMPURE]


@pytest.mark.parametrize("path", [path for path in SOURCES if name_of(path).startswith("serve_app/")], ids=name_of)
def test_names_of_rays_that_are_not_public_have_one_home(path):
    inside = [each for each in imports_of(path) if root_of(each) == "ray"]
    private = [each for each in inside if "._" in each.module or each.name.startswith("_")]
    assert not private or name_of(path) == RAY_INTERNALS


def test_no_files_import_each_other_in_a_circle():
    graph = {name_of(path): {file_of(each) for each in imports_of(path)} - {"", name_of(path)} for path in SOURCES}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as exc:
        pytest.fail(f"files import each other in a circle: {' <- '.join(exc.args[1])}")


def test_only_the_composition_root_builds_a_gateways_objects():
    built = {"Backend", "PredictionService", "Pipeline", "FailoverClassifier", "StageMetrics", "Mirror", "Persistence"}
    calls = [
        f"{name_of(path)}:{node.lineno}"
        for path in SOURCES
        if name_of(path).startswith("serve_app/")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in built
    ]
    assert {place.split(":")[0] for place in calls} == {"serve_app/gateway/graph.py"}, calls


@pytest.mark.parametrize("folder", sorted({path.parent for path in SOURCES}), ids=name_of)
def test_each_folder_says_in_a_paragraph_what_lives_there(folder):
    said = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
    assert said
    assert len(said) > 40


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_the_environment_is_read_where_the_settings_are_only(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    reads = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") and ast.unparse(node.value) == "os"
    ]
    assert not reads or path in {ROOT / "sentiment" / name for name in ("settings.py", "environment.py")}, reads


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_module_is_named_for_nothing(path):
    assert path.stem not in {"utils", "helpers", "common", "misc"}


def test_the_layers_name_every_package_at_the_top():
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert found <= set(PACKAGES)
