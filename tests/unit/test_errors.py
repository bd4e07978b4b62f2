"""Errors cross processes and are shown to people: each class keeps its text and its fields, and has its status."""

from __future__ import annotations

import ast
import builtins
import copy
import importlib
import pickle
import re
from collections.abc import Callable
from typing import Any, Final

import httpx
import pytest

from sentiment import errors
from sentiment.errors import UndertoneError
from serve_app.gateway.http.errors import status_and_body
from tests.repository.sources import SOURCES, nodes_of

TEXT: Final = "--rows: 'ten' is no number; give one of 1 to 100"
#: How classes are built that take more than a message.
ARGUMENTS: Final[dict[str, tuple[Any, ...]]] = {
    "KeyRefused": (TEXT, "read", True),
    "Overloaded": (TEXT, 7.5),
    "HttpError": (413, "too_large", TEXT, "body"),
    "SearchInterrupted": (130, {"best": 0.7}),
    "_Busy": (httpx.Response(429, headers={"Retry-After": "3"}),),
}
#: What of a class's fields cannot be compared as it is.
COMPARED: Final[dict[str, Callable[[Any], Any]]] = {"_Busy": lambda error: error.response.headers["Retry-After"]}


def error_classes() -> dict[str, str]:
    """Return every class of an error in the product by its name, with the module that holds it."""
    known = {name for name, value in vars(builtins).items() if _is_error(value)}
    found: dict[str, str] = {}
    while True:
        new = {
            node.name: name.removesuffix(".py").replace("/", ".")
            for name in SOURCES
            for node in nodes_of(name)
            if isinstance(node, ast.ClassDef) and node.name not in known and known & set(map(_last_name, node.bases))
        }
        if not new:
            return found
        found |= new
        known |= set(new)


def _is_error(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def _last_name(base: ast.expr) -> str:
    return ast.unparse(base).split(".")[-1]


CLASSES: Final = error_classes()


def test_every_error_of_the_tree_is_found():
    ours = {name for name, value in vars(errors).items() if _is_error(value)}
    assert ours <= set(CLASSES)
    assert {"HttpError", "SearchInterrupted"} <= set(CLASSES)


@pytest.mark.parametrize("name", CLASSES)
def test_an_error_that_is_pickled_or_copied_keeps_its_text_and_its_fields(name):
    error = getattr(importlib.import_module(CLASSES[name]), name)(*ARGUMENTS.get(name, (TEXT,)))
    fields = COMPARED.get(name, vars)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert fields(again) == fields(error)
    if isinstance(error, UndertoneError):
        assert str(error) == TEXT


def drawn() -> list[tuple[int, str, str, list[int]]]:
    """Return the rows of the drawing in the module's docstring: depth, name, meaning, statuses."""
    rows = re.findall(r"^    ([│├└─ ]*)(\w+) {2,}(.+?)(?: +\(([\d, ]+)\))?$", errors.__doc__, re.MULTILINE)
    return [
        (len(lines) // 4, name, text, [int(each) for each in status.split(",") if each])
        for lines, name, text, status in rows
    ]


def test_the_drawing_shows_each_class_below_its_base():
    above: list[str] = []
    shown = {}
    for depth, name, _, _ in drawn():
        above[depth:] = [name]
        shown[name] = above[depth - 1] if depth else "Exception"
    bases = {
        name: next(base.__name__ for base in value.__mro__[1:] if not base.__name__.startswith("_"))
        for name, value in vars(errors).items()
        if _is_error(value) and not name.startswith("_")
    }
    assert shown == bases


def test_an_error_is_answered_with_the_status_that_the_drawing_says():
    found: dict[str, int] = {}
    for _, name, _, statuses in drawn():
        if name == "KeyRefused":  # what a client makes of an answer; no route raises it
            continue
        kind = getattr(errors, name)
        of_base = next((found[base.__name__] for base in kind.__mro__[1:] if base.__name__ in found), 500)
        found[name], body = status_and_body(kind(TEXT))
        assert found[name] == (statuses[0] if statuses else of_base), name
        assert (body["message"] == TEXT) == (found[name] != 500), name
    assert set(found.values()) == {404, 409, 422, 429, 500, 503, 504}
