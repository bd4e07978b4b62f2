"""Parquet, by pyarrow, which is imported when a Parquet file is met and not before.

Texts, numbers and truth values become Python's. All else stays in Arrow's memory (`ArrowCell`) and leaves as it came. A
cell that holds what its type forbids, as bytes that are no UTF-8, spoils its row and no other.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from sentiment.errors import InvalidInput
from sentiment.tables.arrow_cells import ArrowCell
from sentiment.tables.table import BOOLEAN, INTEGER, NUMBER, STRING, Kind, Row, Table, TextCells, cell_of, distinct

_BATCH_ROWS: Final = 1024


@dataclass(frozen=True, slots=True)
class _BadCell:
    """A cell that cannot be read: what could be made of it, None if nothing, and what is wrong."""

    shown: str | None
    problem: str


def open_parquet(path: Path, needed: Collection[str] | None = None) -> Table:
    """Read a Parquet file's schema, and all of its pages, so that a damaged one is known before the work begins.

    Rows have the columns `needed` only, all if None.

    Raises:
        InvalidInput: it is no Parquet inside, or damaged.
    """
    from pyarrow import ArrowException
    from pyarrow import parquet as pq

    count = 0
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            columns = dict(zip(distinct(schema.names), schema.types, strict=True))
            repeated = frozenset(name for name, times in Counter(schema.names).items() if times > 1)
            for batch in file.iter_batches(_BATCH_ROWS):
                count += batch.num_rows
            count = count or file.metadata.num_rows
    except (ArrowException, OSError, UnicodeDecodeError) as exc:
        where = f"is damaged after row {count}" if count else "cannot be read as Parquet"
        raise InvalidInput(f"{path.name} {where} ({_first_line(exc)}): write or fetch it anew.", "file") from exc
    return Table(
        path,
        columns,
        count,
        lambda: _parquet_rows(path, list(columns), needed),
        text_cells=_BinaryTexts(),
        repeated=repeated,
    )


class _BinaryTexts(TextCells):
    """Texts may stand in columns of bytes without a word that they are UTF-8: Spark, Impala and Hive write such."""

    def kind(self, kind: Kind) -> Kind:
        """Return STRING for a column of bytes."""
        return STRING if _is_binary(kind) else kind

    def read(self, value: Any) -> tuple[Any, str | None]:
        """Return bytes as the text that they are, or what could be made of them and what is wrong."""
        if not isinstance(value, ArrowCell) or not _is_binary(value.array.type):
            return value, None
        cell = _decoded(_bytes_of(value.scalar))
        return (cell.shown, cell.problem) if isinstance(cell, _BadCell) else (cell, None)


def _is_binary(kind: Any) -> bool:
    import pyarrow as pa

    values_type = kind.value_type if pa.types.is_dictionary(kind) else kind
    tests = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary)
    return any(test(values_type) for test in tests)


def _bytes_of(scalar: Any) -> bytes | None:
    value = scalar.as_py()
    return value if isinstance(value, bytes) else None


def _parquet_rows(path: Path, columns: list[str], needed: Collection[str] | None) -> Iterator[Row]:
    from pyarrow import ArrowException
    from pyarrow import parquet as pq

    number = 0
    places = [place for place, name in enumerate(columns) if needed is None or name in needed]
    names = [columns[place] for place in places]
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_BATCH_ROWS):
                for cells in zip(*(_cells(batch.columns[place]) for place in places), strict=True):
                    number += 1
                    yield _row(number, names, cells)
    except (ArrowException, OSError) as exc:
        where = f"is damaged after row {number}"
        raise InvalidInput(f"{path.name} {where} ({_first_line(exc)}): write or fetch it anew.", "file") from exc


def _first_line(exc: Exception) -> str:
    """Return what Arrow says without the lines that are for its authors."""
    first = str(exc).strip().partition("\n")[0]
    return "".join(filter(str.isprintable, first)).rstrip(" .:")


def _row(number: int, columns: Sequence[str], cells: Sequence[Any]) -> Row:
    bad = [(name, cell) for name, cell in zip(columns, cells, strict=True) if isinstance(cell, _BadCell)]
    if not bad:
        return Row(number, dict(zip(columns, cells, strict=True)))
    readable = (cell.shown if isinstance(cell, _BadCell) else cell for cell in cells)
    problem = "; ".join(f"{name!r} {cell.problem}" for name, cell in bad)
    return Row(number, dict(zip(columns, readable, strict=True)), problem)


def _cells(column: Any) -> list[Any]:
    """Return the cells of a column of a batch."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind) and _is_text(kind.value_type):
        column, kind = column.dictionary_decode(), kind.value_type
    if _is_text(kind):
        return _texts(column)
    whole = pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind)
    if whole or kind in (pa.float32(), pa.float64()):
        return list(column.to_pylist())
    return _arrow_cells(column)


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _texts(column: Any) -> list[Any]:
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        import pyarrow as pa

        kinds = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary(), pa.string_view(): pa.binary_view()}
        return [_decoded(cell) for cell in column.view(kinds[column.type]).to_pylist()]


def _decoded(cell: bytes | None) -> Any:
    try:
        return None if cell is None else cell.decode()
    except UnicodeDecodeError as exc:
        readable = cell.decode("utf-8", "replace") if cell else ""
        return _BadCell(readable, f"is not UTF-8 at byte {exc.start} (0x{exc.object[exc.start]:02x})")


def _arrow_cells(column: Any) -> list[Any]:
    """Return the cells of a column that stay Arrow's; texts in nested ones are checked."""
    import pyarrow as pa

    empty = column.is_null().to_pylist()
    cells = [None if is_empty else ArrowCell(column, place) for place, is_empty in enumerate(empty)]
    if not pa.types.is_nested(column.type):
        return cells
    try:
        column.to_pylist()
    except (ValueError, OverflowError, KeyError, pa.ArrowException):  # texts, or times that Python has not
        return [_checked(cell) for cell in cells]
    return cells


def _checked(cell: ArrowCell | None) -> Any:
    try:
        if cell is not None:
            cell.plain()
    except UnicodeDecodeError as exc:
        return _BadCell(None, f"holds a text that is not UTF-8 (0x{exc.object[exc.start]:02x})")
    return cell


def write_parquet(file: IO[bytes], columns: Mapping[str, Kind], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the rows in batches; columns that came from a Parquet file keep their types.

    Raises:
        InvalidInput: a column holds what Parquet cannot.
    """
    import pyarrow as pa
    from pyarrow import parquet as pq

    names = distinct([_utf8(name) for name in columns])
    schema = pa.schema(list(zip(names, map(_arrow_type, columns.values()), strict=True)))
    remaining = iter(rows)
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while batch := list(itertools.islice(remaining, _BATCH_ROWS)):
            arrays = [
                _arrow_array(name, [row.get(name) for row in batch], field.type)
                for name, field in zip(columns, schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _arrow_type(kind: Kind) -> Any:
    import pyarrow as pa

    simple = {INTEGER: pa.int64(), NUMBER: pa.float64(), BOOLEAN: pa.bool_()}  # all else is text
    return simple.get(kind, pa.string()) if isinstance(kind, str) else kind


def _arrow_array(name: str, values: list[Any], arrow_type: Any) -> Any:
    import pyarrow as pa

    if any(isinstance(value, ArrowCell) for value in values):
        return pa.chunked_array(list(_slices(values, arrow_type)), type=arrow_type)
    if arrow_type == pa.string():
        values = [None if value is None else _utf8(str(cell_of(value))) for value in values]
    try:
        return pa.array(values, type=arrow_type)
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as exc:
        raise InvalidInput(
            f"The column {name!r} cannot be written as Parquet ({exc}): give an --out that ends in .jsonl.", "out"
        ) from exc


def _slices(values: Sequence[Any], arrow_type: Any) -> Iterator[Any]:
    """Yield the cells as pieces of the arrays that they came in, each as long as they stand side by side there."""
    import pyarrow as pa

    runs = itertools.groupby(enumerate(values), key=lambda pair: _run_of(*pair))
    for _, run in runs:
        cells = [cell for _, cell in run]
        first = cells[0]
        yield first.array.slice(first.place, len(cells)) if first is not None else pa.nulls(len(cells), arrow_type)


def _run_of(place: int, cell: ArrowCell | None) -> tuple[int, int]:
    """Return what is equal for cells that follow each other in one array."""
    return (0, 0) if cell is None else (id(cell.array), cell.place - place)


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # a lone surrogate becomes a question mark
