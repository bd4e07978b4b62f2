"""The first rows of a file as they were read, so that a wrong delimiter is seen before texts are sent."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Final

from gradio_ui.messages import shown
from sentiment.tables import DELIMITERS, QUOTINGS, Row, Table

PREVIEW_ROWS: Final = 5
_SHOWN_COLUMNS: Final = 8
_SHOWN_CHARACTERS: Final = 120
_DELIMITER_WORDS: Final = {"none": "none: a line is one cell", "auto": "automatic"}
#: What can be chosen, in words, with what `open_table` calls it.
DELIMITER_CHOICES: Final = [
    (_DELIMITER_WORDS.get(name, name), name) for name in ("auto", *DELIMITERS) if not name.startswith("\\")
]
_QUOTING_WORDS: Final = {"auto": "automatic", "none": "plain characters", "all": "enclose cells"}
QUOTING_CHOICES: Final = [(_QUOTING_WORDS[name], name) for name in QUOTINGS]


def preview(table: Table) -> str:
    """Draw the first rows of a table under its columns; a row that cannot be read shows why."""
    names = list(table.columns)[:_SHOWN_COLUMNS]
    rows = "".join(_line(row, names) for row in itertools.islice(table, PREVIEW_ROWS))
    head = "".join(f'<th scope="col">{shown(_shortened(name))}</th>' for name in names)
    return (
        '<div class="results preview" tabindex="0" role="region" aria-label="First rows"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{_caption(table)}"
    )


def _caption(table: Table) -> str:
    more = len(table.columns) - _SHOWN_COLUMNS
    parts = [f"The first rows of {table.row_count:,}" if table.row_count > PREVIEW_ROWS else "All rows"]
    parts += [table.description] if table.description else []
    parts += [f"{more} more column{'s' * (more > 1)} not shown"] if more > 0 else []
    return f'<p class="small">{shown("; ".join(parts))}.</p>'


def _line(row: Row, names: Sequence[str]) -> str:
    if row.problem is not None:
        return f'<tr><td colspan="{len(names)}">Row {row.number} {shown(_shortened(row.problem, 3))}</td></tr>'
    return "<tr>" + "".join(f"<td>{shown(_shortened(row.values.get(name)))}</td>" for name in names) + "</tr>"


def _shortened(value: Any, times: int = 1) -> str:
    plain, most = "" if value is None else str(value), _SHOWN_CHARACTERS * times
    return plain if len(plain) <= most else plain[: most - 1] + "…"
