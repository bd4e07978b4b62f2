"""Tables: as wide as the terminal, or, in a pipe or a file, as wide as their cells, with each row on one line."""

from __future__ import annotations

import io
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.table import Table

_NO_LIMIT_COLUMNS: Final = 1_000_000


def print_table(console: Console, renderable: RenderableType) -> None:
    """Print a table, or a group with tables in it; title and caption are on lines of their own."""
    if isinstance(renderable, Table):
        _print_titled(console, renderable)
    else:
        _print_plain(console, renderable)


def _print_titled(console: Console, table: Table) -> None:
    title, caption = table.title, table.caption
    table.title = table.caption = None  # Rich would break them at the table's width
    if title:
        console.print(title, highlight=False, soft_wrap=True, style="table.title")
    _print_plain(console, table)
    if caption:
        console.print(caption, highlight=False, soft_wrap=True, style="table.caption")


def _print_plain(console: Console, renderable: RenderableType) -> None:
    for table in _tables_in(renderable):
        for column in table.columns:
            column.overflow = "fold"  # a long word continues on the next line instead of being cut
    if console.is_terminal:
        console.print(renderable)
        return
    buffer = io.StringIO()
    wide = Console(file=buffer, width=_NO_LIMIT_COLUMNS, color_system=None)
    wide.width = max(wide.measure(renderable).maximum, 1)
    wide.print(renderable)
    console.file.writelines(f"{line.rstrip()}\n" for line in buffer.getvalue().rstrip("\n").split("\n"))


def _tables_in(renderable: RenderableType) -> list[Table]:
    if isinstance(renderable, Group):
        return [table for each in renderable.renderables for table in _tables_in(each)]
    return [renderable] if isinstance(renderable, Table) else []
