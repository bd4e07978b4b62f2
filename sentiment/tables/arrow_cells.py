"""Cells of Parquet files that Python has no exact value for: they stay in Arrow's memory and leave as they came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ArrowCell:
    """One cell of an Arrow array, by its place in it."""

    array: Any
    place: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArrowCell) and bool(self.scalar.equals(other.scalar))

    def __hash__(self) -> int:
        return hash(str(self))

    def __repr__(self) -> str:
        return repr(self.plain())

    def __str__(self) -> str:
        return str(self.plain())

    @property
    def scalar(self) -> Any:
        """The cell as a pyarrow scalar."""
        return self.array[self.place]

    def plain(self) -> Any:
        """Return what the cell holds as JSON could say it: numbers, texts, lists and dictionaries; times as text."""
        return plain_scalar(self.scalar)


def plain_scalar(scalar: Any) -> Any:
    """Return a pyarrow scalar as a Python value; times in ISO 8601, bytes in hex, decimals with all their digits.

    Raises:
        UnicodeDecodeError: a text in it is not UTF-8.
    """
    import pyarrow as pa

    if isinstance(scalar, pa.DictionaryScalar | pa.ExtensionScalar | pa.RunEndEncodedScalar | pa.UnionScalar):
        return plain_scalar(scalar.value)
    if not scalar.is_valid:
        return None
    if isinstance(scalar, pa.ListScalar | pa.ListViewScalar | pa.LargeListViewScalar):  # maps are lists of pairs
        return [plain_scalar(each) for each in scalar.values]
    if isinstance(scalar, pa.StructScalar):
        return {field.name: plain_scalar(scalar[place]) for place, field in enumerate(scalar.type)}
    if pa.types.is_temporal(scalar.type):
        return _time_text(scalar)
    value = scalar.as_py()
    return value.hex() if isinstance(value, bytes) else value


def _time_text(scalar: Any) -> str:
    """Return a date, a time or a duration in words; with its bare count where there is no calendar for it."""
    import pyarrow as pa

    if pa.types.is_duration(scalar.type) or pa.types.is_interval(scalar.type):
        return _span_text(scalar)
    is_zoned = pa.types.is_timestamp(scalar.type) and scalar.type.tz is not None
    bare = str((scalar.cast(pa.timestamp(scalar.type.unit)) if is_zoned else scalar).cast(pa.string()).as_py())
    if "out of range" in bare:  # a count, in the column's unit, since 1970
        return f"{scalar.value} {getattr(scalar.type, 'unit', 'day')} since 1970-01-01"
    if not is_zoned:
        return _iso(bare)
    try:
        return _iso(str(scalar.cast(pa.string()).as_py()))
    except pa.ArrowException:  # a time zone that this machine does not know: UTC, which is what is stored
        return _iso(f"{bare}Z")


def _iso(text: str) -> str:
    """Return Arrow's way to write a time in ISO 8601: a T before the hours, a colon in the offset."""
    day, _, hours = text.partition(" ")
    if not hours:
        return text
    if len(hours) > 5 and hours[-5] in "+-" and hours[-4:].isdigit():
        hours = f"{hours[:-2]}:{hours[-2:]}"
    return f"{day}T{hours}"


def _span_text(scalar: Any) -> str:
    value = getattr(scalar, "value", None)
    return f"{value} {scalar.type.unit}" if isinstance(value, int) else str(scalar)
