"""The kind of a column whose values were written without one: the narrowest that holds them all exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sentiment.tables.table import BOOLEAN, INTEGER, JSON, NUMBER, STRING, Kind

_LONG: Final = "long"  # integers that a float cannot hold, and int64 can
_FLOAT_INTEGERS: Final = 2**53
_INT64: Final = 2**63


class ColumnKinds:
    """Narrows the kinds of columns as values come, in the order in which the columns appeared."""

    def __init__(self) -> None:
        self._kinds: dict[str, str | None] = {}

    def add(self, values: Mapping[str, Any]) -> None:
        """Take in the values of a row."""
        for name, value in values.items():
            self._kinds[name] = _wider(self._kinds.get(name), _kind_of(value))

    @property
    def columns(self) -> dict[str, Kind]:
        """The columns with their kinds; one without a value is of texts."""
        return {name: INTEGER if kind == _LONG else kind or STRING for name, kind in self._kinds.items()}


def _kind_of(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return INTEGER if abs(value) <= _FLOAT_INTEGERS else _LONG if -_INT64 <= value < _INT64 else JSON
    if isinstance(value, str):
        return STRING
    return {bool: BOOLEAN, float: NUMBER}.get(type(value), JSON)


def _wider(one: str | None, other: str | None) -> str | None:
    if one is None or other is None or one == other:
        return one or other
    return {frozenset((INTEGER, _LONG)): _LONG, frozenset((INTEGER, NUMBER)): NUMBER}.get(frozenset((one, other)), JSON)
