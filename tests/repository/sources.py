"""The files of this project, each read and parsed once for all rules."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("sentiment", "deployments", "serve_app", "train_jobs", "tune", "gradio_ui", "cli")


def _files_below(folders: tuple[str, ...]) -> dict[str, Path]:
    return {
        path.relative_to(ROOT).as_posix(): path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))
    }


#: The product's files by their names in the project.
SOURCES: Final = _files_below(PACKAGES)
#: Those and the tests'.
FILES: Final = SOURCES | _files_below(("tests",))


@cache
def text_of(name: str) -> str:
    return FILES[name].read_text(encoding="utf-8")


@cache
def nodes_of(name: str) -> tuple[ast.AST, ...]:
    """Return every node of a file's tree, the module first."""
    return tuple(ast.walk(ast.parse(text_of(name))))
