"""Tables on terminals of any width and in pipes."""

from __future__ import annotations

import io

import pytest
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from cli.terminal import print_table

LONG = "positive 12,472 " * 12 + "/a/path/" + "of-a-folder" * 20


def table(title: str | None = None, caption: str | None = None) -> Table:
    made = Table("Name", "What", title=title, caption=caption, box=None, padding=(0, 2, 0, 0))
    made.columns[0].no_wrap = True
    made.add_row("reviews@1", Text(LONG))
    made.add_row("b", Text("short"))
    return made


def printed(renderable: Table | Group, *, width: int | None = None, terminal: bool = False) -> str:
    written = io.StringIO()
    print_table(Console(file=written, width=width, force_terminal=terminal, color_system=None), renderable)
    return written.getvalue()


@pytest.mark.parametrize("columns", ["20", "80", "400"])
def test_in_a_pipe_each_row_is_a_line_that_holds_all_values(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    heading, first, second = printed(table()).splitlines()
    assert (heading.split(), first, second.split()) == (["Name", "What"], f"reviews@1  {LONG}", ["b", "short"])


def test_on_a_wide_terminal_a_row_takes_the_width_that_there_is() -> None:
    assert printed(table(), width=600, terminal=True).splitlines()[1].rstrip() == f"reviews@1  {LONG}"


def test_on_a_narrow_terminal_values_go_on_in_the_next_lines_and_lose_nothing() -> None:
    lines = printed(table(), width=60, terminal=True).splitlines()
    assert max(map(len, lines)) <= 60
    values = "".join(line[11:] for line in lines[1:-1]).replace(" ", "")
    assert values == LONG.replace(" ", "")


def test_a_title_and_a_caption_are_not_broken_at_the_tables_width() -> None:
    path = "/a/folder/" + "b" * 300
    small = Table("x", title=path, caption=f"in {path}", box=None)
    small.add_row("1")
    assert [line.strip() for line in printed(small).splitlines()] == [path, "x", "1", f"in {path}"]


def test_tables_in_a_group_are_whole_in_a_pipe() -> None:
    lines = printed(Group(Text("heading"), table(), Text(LONG))).splitlines()
    assert [lines[0], lines[2], lines[-1]] == ["heading", f"reviews@1  {LONG}", LONG]
