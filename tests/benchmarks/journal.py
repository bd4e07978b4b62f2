"""The journal against SQLite as one: micro-batches on disk before they are acknowledged, in turn, printed as JSON.

`python -m tests.benchmarks.journal --folder /var/tmp --rounds 5`
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from sentiment.journal import Position, open_free
from sentiment.journal.operations import decode_operations, encode_operations
from sentiment.records import Operation
from tests.benchmarks.sink import BATCH, batch

BATCHES = 400


def journal_ms(folder: Path, batches: list[list[Operation]]) -> tuple[float, float]:
    """Return the milliseconds a batch that appending takes, and reading back and releasing."""
    journal = open_free(folder)
    started = time.perf_counter()
    for operations in batches:
        journal.append(operations).result()
    written = time.perf_counter()
    position, left = journal.start, sum(map(len, batches))
    while left:
        chunk = journal.read(position, BATCH)
        position, left = chunk.end, left - len(chunk.operations)
        journal.release(position, len(chunk.operations))
    ended = time.perf_counter()
    journal.close()
    assert position > Position(0, 0)
    return (written - started) * 1000 / len(batches), (ended - written) * 1000 / len(batches)


def sqlite_ms(folder: Path, batches: list[list[Operation]]) -> tuple[float, float]:
    """The same by a table of blobs in a database whose every commit is synced (WAL, synchronous=FULL)."""
    connection = sqlite3.connect(folder / "journal.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE journal (id INTEGER PRIMARY KEY, frame BLOB NOT NULL)")
    started = time.perf_counter()
    for operations in batches:
        connection.execute("INSERT INTO journal (frame) VALUES (?)", (encode_operations(operations),))
    written = time.perf_counter()
    while row := connection.execute("SELECT id, frame FROM journal ORDER BY id LIMIT 1").fetchone():
        assert len(decode_operations(row[1])) == BATCH
        connection.execute("DELETE FROM journal WHERE id = ?", (row[0],))
    ended = time.perf_counter()
    connection.close()
    return (written - started) * 1000 / len(batches), (ended - written) * 1000 / len(batches)


def main() -> None:
    """Print one line of JSON: medians of the rounds, and the medians of their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=None, help="where to write: a disk, not memory")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    rows = [measure(options.folder, number) for number in range(options.rounds)]
    result = {name: round(median(row[name] for row in rows), 3) for name in rows[0]}
    print(json.dumps({"rounds": len(rows), "batches": BATCHES, "texts": BATCH, **result}))


def measure(folder: Path | None, number: int) -> dict[str, float]:
    """Return one round's figures: both ways, the order changing from round to round."""
    ways: dict[str, Callable[[Path, list[list[Operation]]], tuple[float, float]]] = {
        "journal": journal_ms,
        "sqlite": sqlite_ms,
    }
    order = sorted(ways, reverse=bool(number % 2))
    times = {}
    for name in order:
        with TemporaryDirectory(dir=folder) as place:
            batches = [batch(claimed=False) for _ in range(BATCHES)]
            times[name] = ways[name](Path(place), batches)
    return {
        "journal_append_ms": times["journal"][0],
        "sqlite_append_ms": times["sqlite"][0],
        "append_ratio": times["sqlite"][0] / times["journal"][0],
        "journal_drain_ms": times["journal"][1],
        "sqlite_drain_ms": times["sqlite"][1],
        "drain_ratio": times["sqlite"][1] / times["journal"][1],
    }


if __name__ == "__main__":
    main()
