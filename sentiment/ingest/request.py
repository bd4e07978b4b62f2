"""What is to be ingested: one description for the command line, the API and the process that carries it out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, Self

from sentiment.errors import InvalidInput
from sentiment.ingest.runner import IngestLimits
from sentiment.sources import Columns, FileFormat, SourceReading, TextSource, open_file, speed_of
from sentiment.sources.times import TimeReader, UnreadableTime, zone_of
from sentiment.tables import AUTO
from sentiment.validation_messages import shown

#: What may change from run to run of one ingest; all else decides which texts are read, and how.
_FREE: Final = frozenset({"name", "file", "address", "limit", "speed", "to_time", "once"})
_SPELLED: Final = {"from_time": "--from", "to_time": "--to"}
#: An option in a message, not one in a value that the message quotes.
_OPTION: Final = re.compile(r"(?<![\w'\"-])--[a-z]+(?:-[a-z]+)*")


@dataclass(frozen=True)
class IngestRequest:
    """An ingest as it is asked for; docs/ingest.md describes the columns and the forms of cells."""

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
    #: What a search of GDELT asks for.
    query: str | None = None
    #: Which of GDELT's feeds: english, translated or both.
    feed: str | None = None
    #: Whether GDELT's events are topics of the articles that mention them.
    events: bool | None = None
    #: The span of a source with a past; `to_time` is exclusive.
    from_time: str | None = None
    to_time: str | None = None
    #: Whether a source without an end is read up to now only.
    once: bool | None = None

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Self:
        """Return the request that `plain` made JSON of."""
        values = {field.name: plain[field.name] for field in fields(cls) if field.name in plain}
        lists = {name: tuple(values[name]) for name in ("columns", "languages") if values.get(name) is not None}
        return cls(**values | lists)

    def plain(self) -> dict[str, Any]:
        """Return the request as JSON has it, without what was left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @property
    def options(self) -> dict[str, Any]:
        """The values that must be the same in each run of an ingest, by option."""
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in self.plain().items()}
        return {spelling(name): value for name, value in plain.items() if name not in _FREE}

    @property
    def reading(self) -> SourceReading:
        """Which column holds what, and how it is written."""
        named = Columns(
            self.text_column, self.time_column, self.author_column, self.topic_column, self.id_column, self.label_column
        )
        return SourceReading(named, self.time_format, self.time_zone, self.labels)

    @property
    def limits(self) -> IngestLimits:
        """How fast, and until when. Raises InvalidInput where `speed` is not one."""
        return IngestLimits(speed=speed_of(self.speed), records=self.limit)

    @property
    def span_ms(self) -> tuple[int | None, int | None]:
        """The span that is read, in ms since 1970. Raises InvalidInput."""
        from_ms, to_ms = (
            None if value is None else _moment(name, value, self.time_zone)
            for name, value in (("from_time", self.from_time), ("to_time", self.to_time))
        )
        if from_ms is not None and to_ms is not None and to_ms <= from_ms:
            raise InvalidInput(
                f"--to {self.to_time!r} is not after --from {self.from_time!r}: give a later --to, or leave it out.",
                "to_time",
            )
        return from_ms, to_ms

    def open_file(self, now_ms: Callable[[], int]) -> TextSource:
        """Look the file through and return it as a source; see `sentiment.sources.open_file`."""
        form = FileFormat(self.encoding, self.delimiter, self.quoting, self.columns)
        return open_file(self.kind, Path(self.file or ""), self.name, self.reading, form, now_ms)


def spelling(name: str) -> str:
    """Return the option of the command line that says a field."""
    return _SPELLED.get(name, f"--{name.replace('_', '-')}")


def with_fields(message: str) -> str:
    """Return a message with the API's fields in place of the command line's options: `to_time` for `--to`."""
    names = {spelling(name): name for name in (*(each.name for each in fields(IngestRequest)), "restart")}
    return _OPTION.sub(lambda option: names.get(option[0], option[0]), message)


def _moment(name: str, value: str, time_zone: str) -> int:
    try:
        return TimeReader(None, zone_of(time_zone)).read_ms(value)
    except UnreadableTime:
        raise InvalidInput(
            f"{spelling(name)} {shown(value)} is not a time: give a date such as 2026-01-31, or a time such as "
            "2026-01-31T12:00 or 2026-01-31T12:00+01:00.",
            name,
        ) from None
