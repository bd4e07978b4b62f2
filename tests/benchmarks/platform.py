"""Starts a platform, loads it, and prints a table and one line of JSON:

    python -m tests.benchmarks.platform [--requests 4000]

Every text is unique, so that no cache helps. The load generator shares the machine. Each round measures all figures one
after the other, the engine's too (the platform idles meanwhile), since machines change from minute to minute: figures
are the rounds' medians, ratios the medians of the rounds' own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from serve_app.supervisor.processes import own_processes
from tests.benchmarks.load import Load, request, run_load
from tests.benchmarks.texts import unique_texts
from tests.running_platform import environment_in

CONNECTIONS = 64
BATCH = 500
_WARM_UP = 300


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="undertone-bench-") as home:
        environment = environment_in(Path(home))
        port = int(environment["UNDERTONE_PORT"])
        try:
            ready_s = _up(environment)
            rounds = asyncio.run(_measure(port, arguments.requests, arguments.rounds))
            idle_mib = _idle_mib(home)
        finally:
            subprocess.run([sys.executable, "-m", "cli.main", "down"], env=environment, check=True)
    figures = {name: round(statistics.median(found[name] for found in rounds), 3) for name in rounds[0]}
    _print(figures | {"ready_s": round(ready_s, 1), "idle_rss_mib": idle_mib})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=4000, help="single requests a round")
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def _up(environment: dict[str, str]) -> float:
    """Start the platform from nothing and return the seconds until it was ready."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "cli.main", "up"], env=environment, check=True)
    return time.perf_counter() - started


async def _measure(port: int, count: int, rounds: int) -> list[dict[str, float]]:
    texts = iter(unique_texts(_WARM_UP + rounds * (count + 20 * BATCH), seed=int(time.time())))

    async def single(number: int) -> Load:
        requests = [request("127.0.0.1", port, "/v1/predict", {"text": next(texts)}) for _ in range(number)]
        return await run_load("127.0.0.1", port, requests, CONNECTIONS)

    async def batches() -> Load:
        bodies = [{"texts": [next(texts) for _ in range(BATCH)]} for _ in range(20)]
        requests = [request("127.0.0.1", port, "/v1/predict/batch", body) for body in bodies]
        return await run_load("127.0.0.1", port, requests, connections=4)

    async def empty() -> Load:
        return await run_load("127.0.0.1", port, [request("127.0.0.1", port, "/healthz")] * count, CONNECTIONS)

    await single(_WARM_UP)
    return [_figures(await empty(), await single(count), await batches(), _engine_texts_per_s()) for _ in range(rounds)]


def _figures(empty: Load, single: Load, batches: Load, engine_texts_per_s: float) -> dict[str, float]:
    for load in (empty, single, batches):
        assert set(load.statuses) == {200}, load
    ideal = 1 / (1 / empty.rps + 1 / engine_texts_per_s)
    return {
        "empty_rps": empty.rps,
        "engine_texts_per_s": engine_texts_per_s,
        "single_rps": single.rps,
        "single_p50_ms": single.percentile_ms(50),
        "single_p99_ms": single.percentile_ms(99),
        "batch_texts_per_s": batches.rps * BATCH,
        "single_of_ideal": single.rps / ideal,
        "batch_of_engine": batches.rps * BATCH / engine_texts_per_s,
        "p99_of_p50": single.percentile_ms(99) / single.percentile_ms(50),
    }


def _idle_mib(home: str) -> float:
    """Return the PSS of all of the platform's processes (shared pages count once), after it has calmed down."""
    time.sleep(5)
    return round(sum(process.memory_full_info().pss for process in own_processes(Path(home))) / 2**20, 1)


def _engine_texts_per_s() -> float:
    """Tokenising and forward alone, with the threads that the platform uses, in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.engine", "--repeat", "1"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(output.strip().splitlines()[-1])["engine_texts_per_s"]


def _print(figures: dict[str, float]) -> None:
    for name, value in figures.items():
        print(f"{name:22}{value:>10}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
