"""Where texts come from: an async iterator of arrivals with a position to resume from, and a module a protocol.

A source reads records and gives them ids; it sends nothing. `sentiment.ingest` sends them.
"""

from __future__ import annotations

from sentiment.sources.bluesky import ADDRESS, BlueskySource, open_websocket, require_address
from sentiment.sources.columns import Columns, RowReader
from sentiment.sources.files import KINDS, FileFormat, FileSource, SourceReading, open_file
from sentiment.sources.record import (
    Arrival,
    Passed,
    Position,
    Rejected,
    SourceDeletion,
    SourceRecord,
    SourceText,
    TextSource,
)
from sentiment.sources.replay import paced, speed_of
from sentiment.sources.stream import StreamSource
from sentiment.sources.times import TimeReader, reader_of_column

__all__ = [
    "ADDRESS",
    "KINDS",
    "Arrival",
    "BlueskySource",
    "Columns",
    "FileFormat",
    "FileSource",
    "Passed",
    "Position",
    "Rejected",
    "RowReader",
    "SourceDeletion",
    "SourceReading",
    "SourceRecord",
    "SourceText",
    "StreamSource",
    "TextSource",
    "TimeReader",
    "open_file",
    "open_websocket",
    "paced",
    "reader_of_column",
    "require_address",
    "speed_of",
]
