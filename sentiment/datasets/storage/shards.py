"""Examples as Parquet, in shards small enough to be held in memory one at a time."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sentiment.datasets.example import Example
from sentiment.datasets.storage.manifest import REMEDY, SCHEMA, Shard
from sentiment.errors import DatasetDamaged

MOST_ROWS: Final = 32_768
MOST_TEXT_CHARACTERS: Final = 16 * 2**20
_GROUP_ROWS: Final = 4096
_BATCH_ROWS: Final = 1024


def encode_shard(examples: Sequence[Example]) -> tuple[Shard, bytes]:
    """Return the examples as a Parquet file, and what the manifest says of it."""
    import pyarrow as pa
    from pyarrow import parquet as pq

    schema = pa.schema([(column, pa.string()) for column in SCHEMA])
    columns = [[getattr(example, column) for example in examples] for column in SCHEMA]
    table = pa.table([pa.array(values, pa.string()) for values in columns], schema=schema)
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=_GROUP_ROWS, compression="zstd")
    data = file.getvalue()
    return Shard(hashlib.sha256(data).hexdigest(), len(data), len(examples)), data


def decode_shard(data: bytes) -> Iterator[Example]:
    """Yield the examples of a shard that is sound."""
    from pyarrow import parquet as pq

    with pq.ParquetFile(io.BytesIO(data)) as file:
        for batch in file.iter_batches(_BATCH_ROWS):
            columns: list[list[Any]] = [column.to_pylist() for column in batch.columns]
            yield from map(Example, *columns)


def sound(data: bytes | None, shard: Shard, where: str) -> bytes:
    """Return `data` if it is what the manifest vouches for.

    Raises:
        DatasetDamaged: it is missing or something else; the message begins with `where`.
    """
    if data is None:
        raise DatasetDamaged(f"{where} is missing. {REMEDY}")
    if not is_sound(data, shard):
        raise DatasetDamaged(f"{where} was altered or truncated: it does not match its digest. {REMEDY}")
    return data


def is_sound(data: bytes, shard: Shard) -> bool:
    """Tell whether `data` has the digest that the manifest gives."""
    return hashlib.sha256(data).hexdigest() == shard.sha256
