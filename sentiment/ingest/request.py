"""What is to be ingested: one description for the command line, the API and the process that carries it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, Self

from sentiment.ingest.runner import IngestLimits
from sentiment.sources import (
    ADDRESS,
    BlueskySource,
    Columns,
    FileFormat,
    SourceReading,
    TextSource,
    open_file,
    open_websocket,
    require_address,
    speed_of,
)
from sentiment.tables import AUTO

BLUESKY: Final = "bluesky"
#: What may change from run to run of one ingest; all else decides which texts are read, and how.
_FREE: Final = frozenset({"name", "file", "address", "limit", "speed"})


@dataclass(frozen=True)
class IngestRequest:
    """An ingest as it is asked for; the columns and how cells are written are as docs/ingest.md has them."""

    name: str
    kind: str
    file: str | None = None
    text_column: str = "text"
    time_column: str | None = None
    time_format: str | None = None
    time_zone: str = "UTC"
    author_column: str | None = None
    topic_column: str | None = None
    id_column: str | None = None
    label_column: str | None = None
    labels: str | None = None
    encoding: str = "utf-8"
    delimiter: str = AUTO
    quoting: str = AUTO
    columns: tuple[str, ...] | None = None
    #: A server's, where the kind is a live source.
    address: str | None = None
    #: Codes of ISO 639; texts that name none of them are left out.
    languages: tuple[str, ...] | None = None
    #: Records to read, all runs together.
    limit: int | None = None
    speed: str = "max"

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Self:
        """Return the request that `plain` made JSON of."""
        known = {field.name: plain[field.name] for field in fields(cls) if field.name in plain}
        lists = {name: tuple(known[name]) for name in ("columns", "languages") if known.get(name) is not None}
        return cls(**known | lists)

    def plain(self) -> dict[str, Any]:
        """Return the request as JSON has it, without what was left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @property
    def options(self) -> dict[str, Any]:
        """What a run that goes on must have in common with the one before, by the options that say it."""
        told = {name: list(value) if isinstance(value, tuple) else value for name, value in self.plain().items()}
        return {f"--{name.replace('_', '-')}": value for name, value in told.items() if name not in _FREE}

    @property
    def reading(self) -> SourceReading:
        """Which column holds what, and how it is written."""
        named = Columns(
            self.text_column, self.time_column, self.author_column, self.topic_column, self.id_column, self.label_column
        )
        return SourceReading(named, self.time_format, self.time_zone, self.labels)

    @property
    def limits(self) -> IngestLimits:
        """How fast, and until when. Raises InvalidInput for a speed that is none."""
        return IngestLimits(speed=speed_of(self.speed), records=self.limit)

    def open_source(self, now_ms: Callable[[], int]) -> TextSource:
        """Return the source: a file is looked through first, which takes its time.

        Raises:
            InvalidInput: see `sentiment.sources.open_file`; or the address is none.
        """
        if self.kind == BLUESKY:
            address = require_address(self.address or ADDRESS)
            return BlueskySource(self.name, address, frozenset(self.languages or ()), now_ms, open_websocket)
        form = FileFormat(self.encoding, self.delimiter, self.quoting, self.columns)
        return open_file(self.kind, Path(self.file or ""), self.name, self.reading, form, now_ms)
