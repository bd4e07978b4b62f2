"""A process that writes through a journal into SQLite until it is killed, noting what was acknowledged.

`python -m tests.integration.sink_writer HOME`: appends lines `put ID` and `delete ID` to HOME/acknowledged.
"""

from __future__ import annotations

import os
import sys
import threading
import uuid
from pathlib import Path

from sentiment.clock import epoch_ms
from sentiment.journal import JournalOptions, open_free
from sentiment.records import DeleteText, Outcome
from sentiment.store.sqlite import SqliteStore
from sentiment.writes import WriteBehind
from tests.sample_operations import put

THREADS = 3
BATCH = 8


def main(home: Path) -> None:
    options = JournalOptions(segment_bytes=20_000)
    sink = WriteBehind(open_free(home / "journal", options), SqliteStore(home / "undertone.db"))
    sink.start()
    acknowledged = os.open(home / "acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number in range(THREADS):
        threading.Thread(target=write_forever, args=(sink, acknowledged, number)).start()


def write_forever(sink: WriteBehind, acknowledged: int, number: int) -> None:
    claimed = number == 0
    while True:
        now_ms = epoch_ms()
        ids = [str(uuid.uuid4()) for _ in range(BATCH)]
        assert sink.write([put(id_, f"text {id_}", claimed=claimed, received_at_ms=now_ms) for id_ in ids]) == [
            Outcome.DONE
        ] * len(ids)
        os.write(acknowledged, "".join(f"put {id_}\n" for id_ in ids).encode())
        if number == 1:
            os.write(acknowledged, f"deleting {ids[0]}\n".encode())
            assert sink.write([DeleteText(ids[0], now_ms + 1)]) == [Outcome.DONE]
            os.write(acknowledged, f"delete {ids[0]}\n".encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
