"""Files and functions are short: a longer one is usually two ideas."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.repository.test_layers import PACKAGES, ROOT

MOST_LINES = 300
MOST_OF_A_FUNCTION = 60
FILES = sorted(path for folder in (*PACKAGES, "tests") for path in (ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of a function without its docstring, which tells callers and may be long."""
    told = function.body[0] if ast.get_docstring(function) else None
    docstring = told.end_lineno - told.lineno + 1 if told else 0
    return function.end_lineno - function.lineno + 1 - docstring


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_is_short(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MOST_LINES


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_function_is_short(path):
    functions = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    long = {node.name: lines for node in functions if (lines := lines_of(node)) > MOST_OF_A_FUNCTION}
    assert not long
