"""Who may import whom, and where each outside library lives. No exemptions; what fails names its file and line."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.repository.sources import PACKAGES, ROOT, SOURCES, nodes_of

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
        "serve_app/ingest/",
        "serve_app/insight/",
        "serve_app/rollout/",
        "serve_app/routing/",
    ),
    "serve_app/ingest/": ("serve_app/ingest/",),
    "serve_app/insight/": ("serve_app/insight/", "serve_app/rollout/marks.py"),
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
    "lark": ("sentiment/insight/query/",),
    "mlflow": ("sentiment/registry/",),
    "pymongo": ("sentiment/store/mongo.py", "sentiment/store/mongo_changes.py"),
    "plotly": ("gradio_ui/",),
    "tantivy": ("sentiment/insight/embedded/",),
    "openpyxl": ("sentiment/tables/excel_files.py",),
    "boto3": ("sentiment/datasets/",),
    "simplemma": ("sentiment/text/steps.py",),
    "snowballstemmer": ("sentiment/text/steps.py",),
    "websockets": ("sentiment/sources/bluesky.py",),
    "typer": ("cli/", "train_jobs/", "tune/options.py", "gradio_ui/__main__.py"),
    "ray": (
        "deployments/",
        "serve_app/app.py",
        "serve_app/ray_node.py",
        "serve_app/gateway/deployment.py",
        "serve_app/gateway/remote.py",
        "serve_app/gateway/metrics.py",
        "serve_app/insight/deployment.py",
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


class Import(NamedTuple):
    """One name that a file imports, wherever in it: `place` is the file and line, `module` what it imports from."""

    place: str
    module: str
    name: str

    @property
    def importer(self) -> str:
        return self.place.split(":")[0]

    @property
    def root(self) -> str:
        return self.module.split(".")[0]

    def __str__(self) -> str:
        return f"{self.place} imports {f'{self.module}.{self.name}'.strip('.')}"


@cache
def imports_of(name: str) -> tuple[Import, ...]:
    """Return every import of a file, lazy ones and those for type checkers included."""
    return tuple(_imports_of(name))


def _imports_of(name: str) -> Iterator[Import]:
    for node in nodes_of(name):
        place = f"{name}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import):
            yield from (Import(place, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{place}: relative import"
            yield from (Import(place, node.module or "", alias.name) for alias in node.names)


def imports() -> Iterator[Import]:
    return (each for name in SOURCES for each in imports_of(name))


@cache
def _is_file(name: str) -> bool:
    return (ROOT / name).is_file()


def file_of(found: Import) -> str:
    """Return the file of this project that an import reads, as a path; empty for an outside library."""
    whole = f"{found.module}.{found.name}".strip(".").replace(".", "/")
    module = found.module.replace(".", "/")
    names = (f"{whole}.py", f"{whole}/__init__.py", f"{module}.py", f"{module}/__init__.py")
    return next((name for name in names if _is_file(name)), "")


def refused(wrong: Iterator[Import]) -> list[str]:
    """Return the imports that break a rule, each with its file and line."""
    return [str(each) for each in wrong]


def test_a_module_imports_only_layers_below_its_own():
    ours = (each for each in imports() if each.root in PACKAGES)
    packages = ((each, each.importer.split("/")[0]) for each in ours)
    assert not refused(each for each, package in packages if each.root not in ALLOWED[package] | {package})


def test_a_room_imports_only_rooms_that_it_may():
    ours = (each for each in imports() if each.importer.startswith("serve_app/") and each.root == "serve_app")
    assert not refused(each for each in ours if not file_of(each).startswith(ROOMS[room_of(each.importer)]))


def room_of(name: str) -> str:
    return max((room for room in ROOMS if name.startswith(room)), key=len)


def test_each_outside_library_is_imported_in_its_home_only():
    libraries = (each for each in imports() if each.root in HOMES)
    assert not refused(each for each in libraries if not each.importer.startswith(HOMES[each.root]))


def test_what_decides_is_pure():
    assert not refused(each for each in imports() if each.importer.startswith(PURE) and each.module in IMPURE)


def test_names_of_rays_that_are_not_public_have_one_home():
    inside = (each for each in imports() if each.importer.startswith("serve_app/") and each.root == "ray")
    private = (each for each in inside if "._" in each.module or each.name.startswith("_"))
    assert not refused(each for each in private if each.importer != RAY_INTERNALS)


def test_no_files_import_each_other_in_a_circle():
    graph = {name: {file_of(each) for each in imports_of(name)} - {"", name} for name in SOURCES}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as exc:
        pytest.fail(f"files import each other in a circle: {' <- '.join(exc.args[1])}")


@pytest.mark.parametrize(
    ("root", "built"),
    [
        (
            "serve_app/gateway/graph.py",
            {"Backend", "PredictionService", "Pipeline", "FailoverClassifier", "StageMetrics", "Mirror", "Persistence"},
        ),
        (
            "serve_app/rollout/graph.py",
            {"Reconciler", "RegistryView", "ServeView", "VersionRoutes", "TablePublisher", "Listing", "ReplicaFloors"},
        ),
    ],
)
def test_only_the_composition_root_builds_the_objects_that_work_together(root, built):
    calls = [
        f"{name}:{node.lineno}"
        for name in SOURCES
        if name.startswith("serve_app/")
        for node in nodes_of(name)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in built
    ]
    assert {place.split(":")[0] for place in calls} == {root}, calls


def test_each_folder_says_in_a_paragraph_what_lives_there():
    folders = {Path(name).parent.as_posix() for name in SOURCES}
    silent = [folder for folder in sorted(folders) if len(_docstring(f"{folder}/__init__.py")) <= 40]
    assert not silent


def _docstring(name: str) -> str:
    module = nodes_of(name)[0] if name in SOURCES else None
    return (ast.get_docstring(module) if isinstance(module, ast.Module) else None) or ""


def test_the_environment_is_read_where_the_settings_are_only():
    homes = {"sentiment/settings.py", "sentiment/environment.py"}
    reads = [
        f"{name}:{node.lineno}"
        for name in SOURCES
        if name not in homes
        for node in nodes_of(name)
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") and ast.unparse(node.value) == "os"
    ]
    assert not reads


def test_no_module_is_named_for_nothing():
    assert not [name for name in SOURCES if Path(name).stem in {"utils", "helpers", "common", "misc"}]


def test_the_layers_name_every_package_at_the_top():
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert found <= set(PACKAGES)


def test_no_two_public_classes_have_one_name():
    places: dict[str, list[str]] = {}
    for name in SOURCES:
        for node in nodes_of(name):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(f"{name}:{node.lineno}")
    assert not {name: where for name, where in places.items() if len(where) > 1}
