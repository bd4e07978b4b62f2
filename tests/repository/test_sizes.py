"""Files and functions are short: a longer one is usually two ideas."""

from __future__ import annotations

import ast

from tests.repository.sources import FILES, nodes_of, text_of

MOST_LINES = 300
MOST_OF_A_FUNCTION = 60


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of a function without its docstring, which tells callers and may be long."""
    told = function.body[0] if ast.get_docstring(function, clean=False) else None
    docstring = told.end_lineno - told.lineno + 1 if told else 0
    return function.end_lineno - function.lineno + 1 - docstring


def test_a_file_is_short():
    long = {name: lines for name in FILES if (lines := len(text_of(name).splitlines())) > MOST_LINES}
    assert not long


def test_a_function_is_short():
    functions = [
        (name, node)
        for name in FILES
        for node in nodes_of(name)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert functions
    long = {
        f"{name}:{node.lineno} {node.name}": lines
        for name, node in functions
        if (lines := lines_of(node)) > MOST_OF_A_FUNCTION
    }
    assert not long
