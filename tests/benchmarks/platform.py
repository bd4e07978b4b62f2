"""Starts a platform, loads it, and prints a table and one line of JSON:

    python -m tests.benchmarks.platform [--requests 4000]

Every text is unique, so that no cache helps. Medians of several runs; the load generator shares the machine.
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

from serve_app.processes import own_processes
from tests.benchmarks.load import Load, request, run_load
from tests.benchmarks.texts import unique_texts
from tests.running_platform import environment_in

CONNECTIONS = 64
BATCH = 500
RUNS = 3
_WARM_UP = 300


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="undertone-bench-") as home:
        environment = environment_in(Path(home))
        port = int(environment["UNDERTONE_PORT"])
        try:
            ready_s = _up(environment)
            figures = asyncio.run(_measure(port, arguments.requests))
            figures["idle_rss_mib"] = _idle_mib(home)
        finally:
            subprocess.run([sys.executable, "-m", "cli.main", "down"], env=environment, check=True)
    figures |= {"ready_s": round(ready_s, 1), "engine_texts_per_s": _engine_texts_per_s()}
    _print(figures | _ratios(figures))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=4000, help="single requests a run")
    return parser.parse_args()


def _up(environment: dict[str, str]) -> float:
    """Start the platform from nothing and return the seconds until it was ready."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "cli.main", "up"], env=environment, check=True)
    return time.perf_counter() - started


async def _measure(port: int, count: int) -> dict[str, float]:
    texts = iter(unique_texts(_WARM_UP + RUNS * (count + 20 * BATCH), seed=int(time.time())))

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
    rounds = [(await empty(), await single(count), await batches()) for _ in range(RUNS)]
    assert all(set(load.statuses) == {200} for loads in rounds for load in loads), rounds
    return {
        "empty_rps": _median(loads[0].rps for loads in rounds),
        "single_rps": _median(loads[1].rps for loads in rounds),
        "single_p50_ms": _median(loads[1].percentile_ms(50) for loads in rounds),
        "single_p99_ms": _median(loads[1].percentile_ms(99) for loads in rounds),
        "batch_texts_per_s": _median(loads[2].rps * BATCH for loads in rounds),
    }


def _median(values) -> float:
    return round(statistics.median(values), 1)


def _idle_mib(home: str) -> float:
    """Return the PSS of all of the platform's processes (shared pages count once), after it has calmed down."""
    time.sleep(5)
    return round(sum(process.memory_full_info().pss for process in own_processes(Path(home))) / 2**20, 1)


def _engine_texts_per_s() -> float:
    """Tokenising and forward alone, with the threads that the platform uses, in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.engine"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(output.strip().splitlines()[-1])["engine_texts_per_s"]


def _ratios(figures: dict[str, float]) -> dict[str, float]:
    ideal = 1 / (1 / figures["empty_rps"] + 1 / figures["engine_texts_per_s"])
    return {
        "single_of_ideal": round(figures["single_rps"] / ideal, 3),
        "batch_of_engine": round(figures["batch_texts_per_s"] / figures["engine_texts_per_s"], 3),
        "p99_of_p50": round(figures["single_p99_ms"] / figures["single_p50_ms"], 2),
    }


def _print(figures: dict[str, float]) -> None:
    for name, value in figures.items():
        print(f"{name:22}{value:>10}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
