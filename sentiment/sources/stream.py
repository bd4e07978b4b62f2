"""A stream of lines as a source, such as standard input: an object a line, or a text a line. It has no way back."""

from __future__ import annotations

import codecs
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Final

from sentiment.sources.columns import RowReader
from sentiment.sources.record import Arrival, Position
from sentiment.tables import Row
from sentiment.tables.json_lines import jsonl_row
from sentiment.tables.table import LONGEST_CELL_CHARACTERS

_LONGEST_LINE_BYTES: Final = LONGEST_CELL_CHARACTERS


@dataclass(frozen=True)
class StreamSource:
    """The lines of a stream as records. `chunks` gives its bytes as they come, and can be read once."""

    chunks: AsyncIterator[bytes]
    reader: RowReader

    @property
    def expected(self) -> None:
        """Nobody knows how many lines will come."""
        return

    async def arrivals(self, position: Position | None) -> AsyncGenerator[Arrival]:  # noqa: ARG002 - as TextSource has it
        """Yield the lines from the stream's beginning: ids are made of line and text, so that no text is kept twice."""
        number, is_json = 0, None
        async for line in lines_of(self.chunks):
            number += 1
            if is_json is None and line.strip():
                is_json = line.lstrip(b"\xef\xbb\xbf \t").startswith(b"{")
            if line.strip():
                row = line_row(number, line, is_json=bool(is_json), text_column=self.reader.columns.text)
                yield Arrival(self.reader.read(row), number, {"line": number})


async def lines_of(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the lines without their ends; of a line longer than what is read only that much."""
    buffer, is_passing = b"", False
    async for chunk in chunks:
        *whole, buffer = (buffer + chunk).split(b"\n")
        for line in whole:
            if not is_passing:
                yield line.removesuffix(b"\r")
            is_passing = False
        if len(buffer) > _LONGEST_LINE_BYTES:
            if not is_passing:
                yield buffer[: _LONGEST_LINE_BYTES + 1]
            buffer, is_passing = b"", True
    if buffer and not is_passing:
        yield buffer.removesuffix(b"\r")


def line_row(number: int, line: bytes, *, is_json: bool, text_column: str) -> Row:
    """Return a line as a row; what is wrong with it is the row's problem."""
    if len(line) > _LONGEST_LINE_BYTES:
        return Row(number, {}, f"is longer than {_LONGEST_LINE_BYTES:,} bytes")
    try:
        text = line.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as exc:
        return Row(number, {}, f"is not UTF-8 (byte 0x{line[exc.start]:02x})")
    return jsonl_row(number, text) if is_json else Row(number, {text_column: text})
