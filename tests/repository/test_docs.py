"""The documents against the code: every setting, route, metric and command stands in them, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from sentiment.settings import PREFIX, Settings
from sentiment.version import read_version

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
SOURCES = [path for package in ("deployments", "serve_app") for path in (ROOT / package).rglob("*.py")]
METHODS = r"(?:GET|POST|PUT|PATCH|DELETE)"


def settings_rows() -> list[str]:
    """Return the table's rows, as docs/settings.md must have them."""
    return [
        f"| `{PREFIX}{name.upper()}` | {_default(field.default)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]


def _default(value: object) -> str:
    assert value is not PydanticUndefined
    assert not isinstance(value, SecretStr)
    return "" if value is None else f"`{value}`"


def test_every_setting_stands_in_its_page_with_default_and_meaning():
    page = (DOCS / "settings.md").read_text()
    assert [row for row in page.splitlines() if row.startswith(f"| `{PREFIX}")] == settings_rows()


def test_every_route_stands_in_the_page_of_the_api_and_the_page_names_no_other():
    declared = set()
    for path in (ROOT / "serve_app" / "gateway" / "http").rglob("*.py"):
        text = path.read_text().replace("STREAM_PATH", '"/v1/predict/stream"')
        found = re.findall(r'@router\.(get|post|put|patch|delete)\(\s*"([^"]+)"', text)
        declared |= {f"{method.upper()} {route.replace('text_id', 'id')}" for method, route in found}
    documented = set(re.findall(rf"`({METHODS} /\S*)`", (DOCS / "api.md").read_text()))
    assert documented == declared


def test_every_metric_stands_in_its_page_and_the_page_names_no_other():
    declared = {name for path in SOURCES for name in re.findall(r'"(undertone_[a-z_]+)"', path.read_text())}
    documented = set(re.findall(r"`(undertone_[a-z_]+)`", (DOCS / "metrics.md").read_text()))
    assert documented == declared


def test_links_between_pages_lead_somewhere():
    missing = [
        f"{page.relative_to(ROOT)} links to {target}"
        for page in PAGES
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert not missing


def test_commands_in_the_pages_exist():
    from typer.main import get_command

    from cli.main import app

    known = set(get_command(app).commands)
    unknown = [
        f"{page.relative_to(ROOT)}: undertone {command}"
        for page in PAGES
        for command in re.findall(r"^\s*(?:\$ )?undertone ([a-z-]+)", page.read_text(), re.MULTILINE)
        if command not in known
    ]
    assert not unknown


def test_files_that_the_pages_name_exist():
    missing = [
        f"{page.relative_to(ROOT)} names {path}"
        for page in PAGES
        if page.parent in (ROOT, DOCS)  # decisions and experiments are dated: files may be gone since
        for path in re.findall(
            r"`((?:sentiment|deployments|serve_app|train_jobs|tune|cli|gradio_ui|tests)/[\w/.-]*(?:\.py|/))`",
            page.read_text(),
        )
        if not (ROOT / path).exists()
    ]
    assert not missing


def test_functions_that_the_architecture_names_stand_in_the_file_named_before_them():
    named = re.findall(r"`([\w/]+\.py)`, `(\w+)`", (DOCS / "architecture.md").read_text())
    assert named
    gone = [
        f"{path} has no {name}"
        for path, name in named
        if not re.search(rf"^\s*(?:async )?(?:def|class) {name}\b", (ROOT / path).read_text(), re.MULTILINE)
    ]
    assert not gone


def test_the_decisions_are_numbered_without_a_gap():
    numbers = sorted(int(path.name[:4]) for path in (DOCS / "decisions").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_shipped_versions_files_are_those_of_its_manifest():
    assert read_version(ROOT / "sentiment" / "shipped" / "sentiment").manifest.name == "sentiment"
