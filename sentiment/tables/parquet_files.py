"""Parquet, by pyarrow, which is imported when a Parquet file is met and not before."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

from sentiment.errors import InvalidInput
from sentiment.tables.table import BOOLEAN, INTEGER, JSON, NUMBER, STRING, Kind, Row, Table, cell_of, distinct

_BATCH_ROWS: Final = 1024


def open_parquet(path: Path) -> Table:
    """Read the schema and the number of rows of a Parquet file."""
    from pyarrow import ArrowException
    from pyarrow import parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            schema, count = file.schema_arrow, file.metadata.num_rows
    except (ArrowException, OSError) as exc:
        raise InvalidInput(f"{path.name} cannot be read as Parquet: {exc}.", "file") from exc
    columns = dict(zip(distinct(schema.names), schema.types, strict=True))
    return Table(path, columns, count, lambda: _parquet_rows(path, list(columns)))


def _parquet_rows(path: Path, columns: list[str]) -> Iterator[Row]:
    from pyarrow import ArrowException
    from pyarrow import parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_BATCH_ROWS):
                for cells in zip(*map(_arrow_values, batch.columns), strict=True):
                    number += 1
                    yield Row(number, dict(zip(columns, cells, strict=True)))
    except (ArrowException, OSError) as exc:
        raise InvalidInput(f"{path.name} is damaged after row {number}: {exc}.", "file") from exc


def _arrow_values(column: Any) -> list[Any]:
    """Return Python values, or pyarrow's own scalars where Python's types would lose nanoseconds."""
    import pyarrow as pa

    kind = column.type
    exact = (pa.types.is_timestamp(kind) or pa.types.is_duration(kind) or pa.types.is_time(kind)) and kind.unit == "ns"
    return list(column) if exact else column.to_pylist()


def write_parquet(file: IO[bytes], columns: Mapping[str, Kind], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the rows in batches; columns that came from a Parquet file keep their types."""
    import pyarrow as pa
    from pyarrow import parquet as pq

    schema, remaining = pa.schema([(_utf8(name), _arrow_type(kind)) for name, kind in columns.items()]), iter(rows)
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while batch := list(itertools.islice(remaining, _BATCH_ROWS)):
            arrays = [
                _arrow_array([row.get(name) for row in batch], field.type)
                for name, field in zip(columns, schema, strict=True)
            ]
            writer.write_batch(pa.record_batch(arrays, schema=schema))


def _arrow_type(kind: Kind) -> Any:
    import pyarrow as pa

    simple = {INTEGER: pa.int64(), NUMBER: pa.float64(), BOOLEAN: pa.bool_(), STRING: pa.string(), JSON: pa.string()}
    return simple[kind] if isinstance(kind, str) else kind


def _arrow_array(values: list[Any], arrow_type: Any) -> Any:
    import pyarrow as pa

    if arrow_type == pa.string():
        values = [None if value is None else _utf8(str(cell_of(value))) for value in values]
    return pa.array(values, type=arrow_type)


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # a lone surrogate becomes a question mark
