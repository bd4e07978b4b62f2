"""Who may import whom, and where each outside library lives. No exemptions."""

from __future__ import annotations

import ast
from pathlib import Path

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
#: An outside library, and the only places that may import it.
HOMES = {
    "fastapi": ("serve_app/gateway/http/",),
    "fasttext": ("sentiment/language/identifier.py",),
    "gradio": ("gradio_ui/",),
    "mlflow": ("sentiment/registry/", "sentiment/tracking.py"),
    "pymongo": ("sentiment/store/mongo.py",),
    "openpyxl": ("sentiment/tables/excel_files.py",),
    "boto3": ("sentiment/datasets/",),
    "simplemma": ("sentiment/steps.py",),
    "snowballstemmer": ("sentiment/steps.py",),
    "typer": ("cli/", "train_jobs/", "gradio_ui/__main__.py"),
    "ray": ("deployments/", "serve_app/", "train_jobs/", "tune/"),
}
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imports_of(path: Path) -> set[str]:
    """Return every module that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
    return found


def roots_of(path: Path) -> set[str]:
    return {module.split(".")[0] for module in imports_of(path)}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_layers_below_its_own(path):
    package = path.relative_to(ROOT).parts[0]
    assert roots_of(path) & set(PACKAGES) <= ALLOWED[package] | {package}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_outside_library_is_imported_in_its_home_only(path):
    name = str(path.relative_to(ROOT))
    strangers = {lib for lib in roots_of(path) & set(HOMES) if not name.startswith(HOMES[lib])}
    assert not strangers


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_environment_is_read_where_the_settings_are_only(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    reads = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") and ast.unparse(node.value) == "os"
    ]
    assert not reads or path in {ROOT / "sentiment" / name for name in ("settings.py", "environment.py")}, reads


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_is_named_for_nothing(path):
    assert path.stem not in {"utils", "helpers", "common", "misc"}


def test_the_layers_name_every_package_at_the_top():
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert found <= set(PACKAGES)
