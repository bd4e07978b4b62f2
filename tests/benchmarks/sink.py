"""How fast the sink takes texts: batches of 32 through the journal into SQLite, printed as lines of JSON.

First as fast as it goes, ids made here and ids of clients, then at a steady rate, for how far the store lags behind.
`python -m tests.benchmarks.sink --folder /var/tmp --seconds 10 --concurrency 4 --rate 2000`
"""

from __future__ import annotations

import argparse
import json
import threading
import time
import uuid
from contextlib import closing
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

from sentiment.journal import JournalOptions, open_free
from sentiment.records import Operation, PutText
from sentiment.store.sqlite import SqliteStore
from sentiment.writes import WriteBehind
from tests.sample_operations import labelled

BATCH = 32
TEXT = "A cup of tea at the station made the whole rainy morning a good one, thank you! "


def measure(folder: Path, seconds: float, concurrency: int, rate: float | None, *, claimed: bool) -> dict[str, Any]:
    """Write for `seconds` from `concurrency` threads, all together `rate` a second; return rates, latencies, lag."""
    commits_ms: list[float] = []
    latencies_ms: list[float] = []
    lags_s = [0.0]
    pause_s = BATCH * concurrency / rate if rate else 0.0
    journal = open_free(folder / "journal", JournalOptions(on_commit_ms=commits_ms.append))
    with closing(SqliteStore(folder / "undertone.db")) as store, closing(WriteBehind(journal, store)) as sink:
        sink.start()
        started, cpu_s = time.monotonic(), time.process_time()
        threads = [
            threading.Thread(target=write, args=(sink, started + seconds, pause_s, latencies_ms, claimed))
            for _ in range(concurrency)
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            lags_s.append(sink.state()["lag_s"])
            time.sleep(0.05)
        taken_s = time.monotonic() - started
        while sink.state()["pending"]:
            time.sleep(0.01)
        drained_s = time.monotonic() - started
        cpu_s = time.process_time() - cpu_s
    operations = BATCH * len(latencies_ms)
    return {
        "rate": rate,
        "claimed": claimed,
        "concurrency": concurrency,
        "operations": operations,
        "operations_per_s": round(operations / taken_s),
        "stored_per_s": round(operations / drained_s),
        "cpu_us_per_operation": round(cpu_s / operations * 1e6, 1),
        "write_ms": {"p50": round(median(latencies_ms), 2), "p99": round(quantiles(latencies_ms, n=100)[98], 2)},
        "commit_ms": {"p50": round(median(commits_ms), 2), "p99": round(quantiles(commits_ms, n=100)[98], 2)},
        "lag_s": {"p50": round(median(lags_s), 3), "max": round(max(lags_s), 3)},
    }


def write(sink: WriteBehind, until_s: float, pause_s: float, latencies_ms: list[float], claimed: bool) -> None:
    """Write batch after batch, one each `pause_s` at most."""
    while (now_s := time.monotonic()) < until_s:
        sink.write(batch(claimed))
        latencies_ms.append((time.monotonic() - now_s) * 1000)
        time.sleep(max(0.0, now_s + pause_s - time.monotonic()))


def batch(claimed: bool) -> list[Operation]:
    """Return one micro-batch of new texts."""
    return [PutText(labelled(str(uuid.uuid4()), TEXT + str(number)).record, claimed) for number in range(BATCH)]


def main() -> None:
    """Measure at full speed and at a steady rate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=None, help="disk to measure")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--rate", type=float, default=2000.0, help="texts a second in the last run")
    given = parser.parse_args()
    for claimed, rate in ((False, None), (True, None), (True, given.rate)):
        with TemporaryDirectory(dir=given.folder) as folder:
            print(json.dumps(measure(Path(folder), given.seconds, given.concurrency, rate, claimed=claimed)))


if __name__ == "__main__":
    main()
