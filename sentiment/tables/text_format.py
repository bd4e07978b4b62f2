"""How a text table is written: its encoding, what stands between its cells, and what quotes mean in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from sentiment.errors import InvalidInput

Quoting = Literal["auto", "none", "all"]
QUOTINGS: Final[tuple[Quoting, ...]] = get_args(Quoting)
AUTO: Final = "auto"

#: The delimiter of a file whose lines are one cell each.
ONE_COLUMN: Final = ""
#: Delimiters that are hard to type, and what they are called.
DELIMITERS: Final[Mapping[str, str]] = {
    "comma": ",",
    "semicolon": ";",
    "tab": "\t",
    "\\t": "\t",
    "pipe": "|",
    "space": " ",
    "none": ONE_COLUMN,
}


@dataclass(frozen=True)
class TextFormat:
    """How a CSV, TSV or JSONL file is to be read.

    `delimiter` is one character, ONE_COLUMN, or None: the file tells. `quoting` is "none" (quotes are characters like
    others), "all" (a cell that begins with a quote is enclosed in quotes) or "auto": the file tells. `columns` names
    the columns of a file without a header.
    """

    encoding: str = "utf-8"
    delimiter: str | None = None
    quoting: Quoting = "auto"
    columns: Sequence[str] | None = None

    @property
    def is_told(self) -> bool:
        """Whether delimiter or quoting were given."""
        return self.delimiter is not None or self.quoting != AUTO


def delimiter_of(option: str | None) -> str | None:
    """Return the delimiter that a user named: a character, a name of DELIMITERS, or None for "auto" and None.

    Raises:
        InvalidInput: it is more than one character, a quote or a line break.
    """
    if option is None or option == AUTO:
        return None
    if option in DELIMITERS:
        return DELIMITERS[option]
    if len(option) != 1 or option in '"\r\n\0':
        raise InvalidInput(
            f"The delimiter is {option!r}; it must be one character that is no quote and no line break, or one of "
            f"{AUTO}, {', '.join(DELIMITERS)}.",
            "delimiter",
        )
    return option


def quoting_of(option: str) -> Quoting:
    """Return the quoting that a user named.

    Raises:
        InvalidInput: there is none of that name.
    """
    if option not in QUOTINGS:
        raise InvalidInput(f"The quoting is {option!r}; it must be one of {', '.join(QUOTINGS)}.", "quoting")
    return option
