"""List every message that a user can see: errors, output of the command line, logs, help, texts of the page.

python -m tests.repository.messages [FOLDER ...]

A message is a text of at least three words that is no docstring, wherever it stands: most are given to an error or a
printer, others are constants or pieces that are joined later.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.repository.test_layers import PACKAGES, ROOT

FEWEST_WORDS = 3


class Message(NamedTuple):
    """One text that a user can see; values in it stand in braces, as they are written."""

    path: str
    line: int
    text: str


def messages_of(path: Path) -> list[Message]:
    """Return the messages of a Python file, in their order."""
    name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.as_posix()
    texts = texts_below(ast.parse(path.read_text(encoding="utf-8")))
    return [Message(name, line, text) for line, text in sorted(texts) if len(text.split()) >= FEWEST_WORDS]


def texts_below(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of every literal below a node; texts that Python joins are one."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.JoinedStr):
            yield child.lineno, ast.unparse(child)[2:-1]
        elif isinstance(child, ast.Constant):
            if isinstance(child.value, str):
                yield child.lineno, child.value
        elif not is_docstring(child):
            yield from texts_below(child)


def is_docstring(node: ast.AST) -> bool:
    """Whether a node is a text that stands alone: a docstring of a module, class, function or field."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant | ast.JoinedStr)


def files_in(folders: list[str]) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


if __name__ == "__main__":
    for file in files_in(sys.argv[1:] or list(PACKAGES)):
        for message in messages_of(file):
            line = f"{message.path}:{message.line}: {message.text}"
            print(line.encode(errors="backslashreplace").decode())  # a text may hold half of a surrogate pair
