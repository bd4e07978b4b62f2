"""Which column of a table holds what, and a row as the record that it stands for."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sentiment.client.bulk import reason_against
from sentiment.datasets.source.labelling import Labelling
from sentiment.errors import InvalidInput
from sentiment.identifiers import ID_PATTERN
from sentiment.sources.record import Rejected, SourceText
from sentiment.sources.times import TimeReader, UnreadableTime, plausible_ms
from sentiment.tables import Row, Table
from sentiment.tables.table import is_missing, plain
from sentiment.validation_messages import shown

MOST_TOPICS: Final = 20
LONGEST_TOPIC: Final = 64
_TOPIC_SIGNS: Final = re.compile(r"[,;|]")
_ID: Final = re.compile(ID_PATTERN)


@dataclass(frozen=True)
class Columns:
    """The names of the columns; None where the source has none of the kind."""

    text: str = "text"
    time: str | None = None
    author: str | None = None
    topic: str | None = None
    id: str | None = None
    label: str | None = None

    @property
    def options(self) -> dict[str, str]:
        """The columns that are named, by the option that names them."""
        named = {kind: getattr(self, kind) for kind in ("text", "time", "author", "topic", "id", "label")}
        return {f"--{kind}-column": name for kind, name in named.items() if name is not None}

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns to read: for `user.name` also the one that holds such values, `user`."""
        return tuple({part for name in self.options.values() for part in (name, name.partition(".")[0])})

    def reached(self, row: Row) -> Row:
        """Return a row with the values that names like `user.name` lead to."""
        within = [name for name in self.options.values() if "." in name and name not in row.values]
        if not within:
            return row
        nested = {name: _at(row.values, name.split(".")) for name in within}
        return replace(row, values=row.values | {name: value for name, value in nested.items() if value is not None})

    def require(self, table: Table) -> None:
        """Raise InvalidInput, with the columns that there are, unless the table has all of them, each once."""
        for option, name in self.options.items():
            field = option.strip("-").replace("-", "_")
            if name not in table.columns and name.partition(".")[0] not in table.columns:
                table.require_a_row()
                raise InvalidInput(
                    f"{table.path.name} has no column {name!r} ({option}). Its columns are: {table.column_names}.",
                    field,
                )
            if name in table.repeated:
                raise InvalidInput(
                    f"{table.path.name} has more than one column {name!r} ({option}): rename one.", field
                )


@dataclass(frozen=True)
class RowReader:
    """Reads the rows of one source, called `name`, of which all ids bear the name."""

    name: str
    columns: Columns
    times: TimeReader
    labels: Labelling
    now_ms: Callable[[], int]

    def read(self, row: Row) -> SourceText | Rejected:
        """Return the text that a row holds, or why it holds none."""
        columns, row = self.columns, self.columns.reached(row)
        values = row.values
        try:
            if reason := reason_against(row, columns.text):
                raise _NoRecord(reason)
            text = values[columns.text]
            at_ms = None if columns.time is None else self._time_ms(values.get(columns.time))
            created_at_ms = None if at_ms is None else plausible_ms(at_ms, self.now_ms())
            return SourceText(
                self._id(row, text),
                text,
                created_at_ms,
                _named(values, columns.author) if columns.author else None,
                topics_of(values.get(columns.topic)) if columns.topic else (),
                self._label(row) if columns.label else None,
                is_corrected=at_ms is not None and created_at_ms is None,
            )
        except _NoRecord as exc:
            return Rejected(str(exc), values)

    def require_labels(self, rows: Sequence[Row]) -> None:
        """Raise InvalidInput where a label of these first rows has no meaning: `--labels` has to give it one."""
        for row in rows:
            value = self.columns.reached(row).values.get(self.columns.label or "")
            if row.problem is None:
                self.labels.read(value, f"row {row.number}")

    def _time_ms(self, value: Any) -> int:
        try:
            return self.times.read_ms(value)
        except UnreadableTime as exc:
            raise _NoRecord(f"{self.columns.time!r} {exc}") from None

    def _label(self, row: Row) -> str | None:
        try:
            return self.labels.read(row.values.get(self.columns.label or ""), f"row {row.number}")
        except InvalidInput as exc:
            raise _NoRecord(str(exc)) from None

    def _id(self, row: Row, text: str) -> str:
        if self.columns.id is None:
            return row_id(self.name, row.number, text)
        source_id = _named(row.values, self.columns.id)
        if source_id is None:
            raise _NoRecord(f"{self.columns.id!r} is empty: each text needs an id")
        return named_id(self.name, source_id)


class _NoRecord(Exception):
    """A row holds no text that could be kept; never leaves this module."""


def row_id(name: str, number: int, text: str) -> str:
    """Return the id of a row that nothing names: the same whenever the same text stands in the same row."""
    return f"{name}:{number}-{_digest(text)}"


def named_id(name: str, source_id: str) -> str:
    """Return the id of what its source calls `source_id`; a digest where that could be no id."""
    id_ = f"{name}:{source_id}"
    return id_ if _ID.fullmatch(id_) else f"{name}:{_digest(source_id)}"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _at(values: Mapping[str, Any], path: Sequence[str]) -> Any:
    """Return what stands at a path of names, in objects in each other; None if nothing does."""
    value: Any = values
    for name in path:
        value = plain(value.get(name)) if isinstance(value, Mapping) else None
    return value


def _named(values: Mapping[str, Any], column: str) -> str | None:
    """Return a cell that names somebody or something; None if it is empty. Raises _NoRecord."""
    value = plain(values.get(column))
    if isinstance(value, dict | list):
        raise _NoRecord(
            f"{column!r} holds {shown(value)}, which is not a single value: choose one inside it, such as {column}.name"
        )
    return _word_of(value)


def topics_of(value: Any) -> tuple[str, ...]:
    """Return the topics in a cell, a list or a text with `,`, `;` or `|` between: each once, cut to what is kept."""
    value = plain(value)
    items = value if isinstance(value, list) else _TOPIC_SIGNS.split(_word_of(value) or "")
    words = [word[:LONGEST_TOPIC].strip() for each in items if (word := _word_of(_tag_of(each)))]
    return tuple(dict.fromkeys(word for word in words if word))[:MOST_TOPICS]


def _tag_of(value: Any) -> Any:
    """Return a topic of a list: the text of an object, as Twitter has hashtags; nothing of one without any."""
    if isinstance(value, dict):
        return next((value[name] for name in ("text", "tag", "name") if isinstance(value.get(name), str)), None)
    return None if isinstance(value, list) else value


def _word_of(value: Any) -> str | None:
    """Return a cell as one word or name without control characters; None if it is empty."""
    value = plain(value)
    if is_missing(value):
        return None
    whole = int(value) if isinstance(value, float) and value.is_integer() else value  # pandas' ids beside an empty one
    return " ".join(str(whole).split()) or None
