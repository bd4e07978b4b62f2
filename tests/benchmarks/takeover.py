"""Takes one version over to another and back under a steady load; prints a line of JSON for each and one for all:

    python -m tests.benchmarks.takeover [--rounds 10] [--rps RPS]

Both versions are the shipped model, so that the shadow agrees. Requests leave at their times whether earlier ones were
answered or not. `p99_ratio` compares the seconds in which traffic moves with those before; `wrong` counts answers of a
version that had no weight any more for two seconds, `over_1_s` requests that took longer, `over_twice` takeovers with a
`p99_ratio` above 2, `calm_over_twice` how often the p99 before a takeover was twice that before the last one, `aborted`
those that went back. The p99 of ten seconds is that of a dozen requests, which one wait makes: both sides last half a
minute, and `p99_ratio_all` compares the requests of all takeovers together.

Where a neighbour takes some of the cores' speed, all requests wait longer: `slowed_before` and `slowed_during` are how
many times as long the same work takes then as at full speed (`tests.benchmarks.pace`). Names with `full_speed` compare
only requests that left while the machine ran at full speed, `full_speed_share` of all, names with `slow` only the
others; a takeover with less than a thousand on one side has no ratio of its own.

Left out, `--rps` is half of what 64 connections get (`single_rps`); 0 is as fast as they go.

The last takeover is begun by the alias `challenger` and goes through the shadow too: `alias_full_s` is its time to all
traffic, `shadow_ratio` compares the p99 while a quarter of the texts is mirrored with that before.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import compress
from operator import not_
from pathlib import Path
from typing import Any

import httpx

from serve_app.supervisor.processes import own_processes
from tests.benchmarks.callers import Answer, Callers, endless_texts
from tests.benchmarks.pace import Pace
from tests.benchmarks.takeover_summary import ENOUGH, p99, summary
from tests.demo_rollout import copy_of_shipped, wait_until_listed
from tests.running_platform import RunningPlatform, command, running

_PLAN = "10,50,100"
_HOLD_S = 10.0
_ALIAS_HOLD_S = 3.0
_SETTINGS = {"rollouts_drain_s": 5, "registry_poll_s": 1, "rollouts_automatic": 1, "rollouts_hold_s": _ALIAS_HOLD_S}
_BEFORE_S = 30.0
_WARM_S = 5.0
_FULL_S = 15.0
_LATE_S = 2.0
_POLL_S = 0.25


class Aborted(Exception):
    """A rollout that should take over went back; the reason is the message."""


async def single_rps(platform: RunningPlatform, texts: Iterator[str]) -> float:
    """Return how many single texts a second the platform answers on 64 connections."""
    async with Callers(platform, texts, 0) as callers:
        await asyncio.sleep(_WARM_S)
        warm_s = time.monotonic()
        await asyncio.sleep(_FULL_S)
        answered = callers.took_ms(warm_s, time.monotonic())
    return len(answered) / _FULL_S


async def take_over(
    platform: RunningPlatform, client: httpx.AsyncClient, version: int, texts: Iterator[str], rps: float, pace: Pace
) -> dict[str, Any]:
    """Roll `version` out under load and return what the callers saw of it; `aborted` is why it went back, or empty."""
    aborted, began_s = "", time.monotonic()
    async with Callers(platform, texts, rps) as callers:
        await asyncio.sleep(_BEFORE_S)
        started_s = time.monotonic()
        asked = {"version": version, "plan": _PLAN, "hold_s": _HOLD_S, "auto": True}
        (await client.post("/v1/rollouts", json=asked)).raise_for_status()
        try:
            moves_s = await reached(client, version, "canary")
            full_s = await reached(client, version, "draining")
            both_mib = await asyncio.to_thread(mib, platform)
            ended_s = await reached(client, version, "done")
        except Aborted as exc:
            aborted = str(exc)
    if aborted:
        return {"version": version, "aborted": aborted, **callers.counts()}
    before, during = callers.took_ms(0.0, started_s), callers.took_ms(moves_s, full_s + 1)
    phases = {
        "before": before,
        "loading": callers.took_ms(started_s, moves_s),
        "moving": during,
        "ending": callers.took_ms(full_s + 1, ended_s),
    }
    late = [answer for answer in callers.answers if answer.sent_s > full_s + _LATE_S and answer.status == 200]
    return {
        "version": version,
        "aborted": aborted,
        **callers.counts(),
        "wrong": sum(answer.version != version for answer in late),
        "p99_before_ms": p99(before),
        "p99_during_ms": p99(during),
        "p99_ratio": p99(during) / p99(before),
        "slowed_before": pace.slowed(began_s, started_s),
        "slowed_during": pace.slowed(moves_s, full_s + 1),
        **_by_pace(pace, callers.between(0.0, started_s), callers.between(moves_s, full_s + 1)),
        "slowest_ms": max(answer.took_ms for answer in callers.answers),
        **{f"slowest_{phase}_ms": max(took_ms) for phase, took_ms in phases.items()},
        "full_s": full_s - started_s,
        "done_s": ended_s - started_s,
        "both_mib": both_mib,
        "before_ms": before,
        "during_ms": during,
    }


def _by_pace(pace: Pace, before: list[Answer], during: list[Answer]) -> dict[str, Any]:
    """Return the milliseconds apart by whether the machine ran at full speed, and their ratio where they are enough."""
    times: dict[str, list[float]] = {}
    for side, answers in (("before", before), ("during", during)):
        full = list(pace.full(answer.sent_s for answer in answers))
        times[f"{side}_full_speed_ms"] = [answer.took_ms for answer in compress(answers, full)]
        times[f"{side}_slow_ms"] = [answer.took_ms for answer in compress(answers, map(not_, full))]
    calm, moving = times["before_full_speed_ms"], times["during_full_speed_ms"]
    share = {"full_speed_share": (len(calm) + len(moving)) / (len(before) + len(during))}
    is_enough = min(len(calm), len(moving)) >= ENOUGH
    return times | share | ({"p99_ratio_full_speed": p99(moving) / p99(calm)} if is_enough else {})


async def by_alias(
    platform: RunningPlatform, client: httpx.AsyncClient, version: int, texts: Iterator[str], rps: float
) -> dict[str, float]:
    """Give `version` the alias `challenger` under load and return how long it took to have all traffic."""
    async with Callers(platform, texts, rps) as callers:
        await asyncio.sleep(_BEFORE_S)
        started_s = time.monotonic()
        await asyncio.to_thread(command, platform.environment, "models", "alias", "challenger", str(version))
        shadow_s = await reached(client, version, "shadow")
        canary_s = await reached(client, version, "canary")
        full_s = await reached(client, version, "draining")
    before, mirrored = callers.took_ms(0.0, started_s), callers.took_ms(shadow_s, canary_s)
    return {
        "alias_full_s": round(full_s - started_s, 1),
        "shadow_s": round(canary_s - shadow_s, 1),
        "shadow_ratio": round(p99(mirrored) / p99(before), 2),
        "alias_failed": callers.failed,
    }


async def reached(client: httpx.AsyncClient, version: int, state: str) -> float:
    """Wait until the rollout of `version` is in `state`, and return when that was seen.

    Raises:
        Aborted: it ended otherwise.
    """
    while True:
        answer = await client.get("/v1/rollouts/current")
        told = answer.json() if answer.status_code == httpx.codes.OK else {"challenger": None}  # none before the first
        if told["challenger"] == version and told["state"] == state:
            return time.monotonic()
        if told["challenger"] == version and told["state"] in ("done", "aborted"):
            raise Aborted(told["reason"])
        await asyncio.sleep(_POLL_S)


def mib(platform: RunningPlatform) -> float:
    """Return the memory of the platform's processes; shared pages count once."""
    return sum(process.memory_full_info().pss for process in own_processes(platform.home)) / 2**20


async def measure(platform: RunningPlatform, rounds: int, rps: float | None, one_mib: float, pace: Pace) -> None:
    """Take over to a second version and back `rounds` times, and print what was seen."""
    texts = endless_texts()
    full = await single_rps(platform, texts)
    rps = full / 2 if rps is None else rps
    load = {"single_rps": round(full, 1), "rps": round(rps, 1), "one_mib": round(one_mib, 1)}
    print(json.dumps(load), flush=True)
    found: list[dict[str, Any]] = []
    serves = 1
    async with httpx.AsyncClient(base_url=platform.url, timeout=60) as client:
        for _ in range(2 * rounds):
            found.append(await take_over(platform, client, 3 - serves, texts, rps, pace))
            serves = serves if found[-1]["aborted"] else 3 - serves
            told = {name: _rounded(value) for name, value in found[-1].items() if not isinstance(value, list)}
            print(json.dumps(told), flush=True)
        by_itself = await by_alias(platform, client, 3 - serves, texts, rps)
    print(json.dumps(load | summary(found) | by_itself))


def _rounded(value: Any) -> Any:
    return round(value, 2) if isinstance(value, float) else value


@contextmanager
def two_versions(scratch: Path) -> Iterator[tuple[RunningPlatform, float]]:
    """Start a platform that serves version 1 and lists version 2, the same; yield it and its memory with one loaded."""
    folder = copy_of_shipped(scratch / "copy", degraded=False)
    with running(scratch / "home", **_SETTINGS) as platform:
        one_mib = mib(platform)
        command(platform.environment, "models", "register", str(folder))
        with httpx.Client(base_url=platform.url, timeout=60) as client:
            wait_until_listed(client, 2)
        yield platform, one_mib


def main() -> None:
    """Start a platform with two versions and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="takeovers there and back")
    parser.add_argument("--rps", type=float, help="requests a second; left out, half of what 64 connections get")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="undertone-bench-") as scratch,
        two_versions(Path(scratch)) as (platform, one_mib),
        Pace() as pace,
    ):
        asyncio.run(measure(platform, given.rounds, given.rps, one_mib, pace))


if __name__ == "__main__":
    main()
