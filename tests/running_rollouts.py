"""A platform whose versions roll out: what tests ask of it past HTTP, and callers that must notice nothing."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from sentiment.clock import epoch_ms
from sentiment.registry import CHAMPION, Registry
from sentiment.settings import Settings
from sentiment.store import TextStore, open_store
from sentiment.version import read_version
from serve_app.rollout import commands
from serve_app.rollout.policy.record import StartRequest
from tests.running_platform import RunningPlatform, command, running, title_of
from tests.tiny_model import build_tiny_version

MODEL = "sentiment"
PATIENCE_S = 240
_REPLICA = re.compile(r"ray::ServeReplica:classifier-v(\d+):")
#: A long text: its request is just below the 16 KB that are sent again when a gateway dies.
_LONG = " ".join(["the train is at the phone and it was a day"] * 345)
QUICK = {
    "rollouts_hold_s": 2,
    "rollouts_drain_s": 2,
    "rollouts_load_s": 200,
    "rollouts_shadow_share": 1.0,
    "registry_poll_s": 1,
}
TEXTS = ("I love this phone", "the worst day", "the train is at 10", "thanks a great day", "I hate it")
#: One text in ten says love: what a version that turns this word round gets wrong.
ONE_LOVES_IN_TEN = (
    "I love this phone",
    *TEXTS[1:],
    "a nice day",
    "the bus at 10",
    "bad phone",
    "I hate rain",
    "at noon",
)


class Rollouts:
    """What the tests ask of the platform, past HTTP: the same requests that its routes make."""

    def __init__(self, platform: RunningPlatform) -> None:
        own = {
            name.removeprefix("UNDERTONE_").lower(): value
            for name, value in platform.environment.items()
            if name.startswith("UNDERTONE_")
        }
        self.platform, self.settings = platform, Settings(**own)
        self.store: TextStore = open_store(self.settings)
        self.registry = Registry(self.settings.registry_uri)

    def register(self, folder: Path, **kind: Any) -> int:
        """Register a tiny version of some kind and wait until the platform knows of it."""
        build_tiny_version(folder, version_marker=folder.name, **kind)
        version = self.registry.register(read_version(folder), "trained")
        self._is_known(version)
        return version

    def register_by_command(self, folder: Path) -> int:
        """The same as a user does it, which takes some seconds longer."""
        build_tiny_version(folder, version_marker=folder.name)
        said = command(self.platform.environment, "models", "register", str(folder), "--json").stdout
        version = int(json.loads(said)["version"])
        self._is_known(version)
        return version

    def _is_known(self, version: int) -> None:
        wait_for(lambda: any(row["version"] == version for row in self.models()))

    def models(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = httpx.get(f"{self.platform.url}/v1/models", timeout=30).json()["models"]
        return rows

    def loaded(self) -> set[int]:
        return {row["version"] for row in self.models() if row["state"] != "registered"}

    def serving(self) -> dict[int, float]:
        return {row["version"]: row["weight"] for row in self.models() if row["weight"]}

    def running(self) -> set[int]:
        """Return the versions that have a replica's process, whatever the platform says of them."""
        lines = (title_of(process) for process in self.platform.replicas("Classifier"))
        return {int(found[1]) for line in lines if (found := _REPLICA.match(line))}

    def start(self, version: int, settings: Settings | None = None, **request: Any) -> None:
        asked = StartRequest(version=version, **{"auto": True, **request})
        commands.start(self.store, settings or self.settings, asked, epoch_ms())

    def status(self) -> dict[str, Any]:
        return commands.status(self.store, MODEL, epoch_ms())

    async def reach(self, *states: str) -> dict[str, Any]:
        """Return the rollout once it is in one of `states`."""
        deadline = time.monotonic() + PATIENCE_S
        while (told := self.status())["state"] not in states:
            assert time.monotonic() < deadline, told
            assert told["phase"] not in ("done", "aborted"), (told["reason"], told["decisions"])
            await asyncio.sleep(0.2)
        return told


class Load:
    """Callers that send texts one after the other until told to stop; what they were answered.

    Together they send at most `rps` requests a second. One text in `long_every` has some 15 KB, if that is not 0.
    """

    def __init__(
        self,
        platform: RunningPlatform,
        texts: tuple[str, ...] = TEXTS,
        callers: int = 2,
        rps: float = 40.0,
        long_every: int = 0,
    ) -> None:
        self.platform, self.texts, self.callers = platform, texts, callers
        self.rps, self.long_every = rps, long_every
        self._due_s = 0.0
        self.answers: list[tuple[float, int]] = []
        self.ids: list[str] = []
        self.failures: Counter[str] = Counter()
        self.stopped = False

    async def during(self, event: Callable[[], Awaitable[Any]]) -> Any:
        async with httpx.AsyncClient(base_url=self.platform.url, timeout=60) as client:
            callers = [asyncio.create_task(self._call(client, number)) for number in range(self.callers)]
            try:
                return await event()
            finally:
                self.stopped = True
                await asyncio.gather(*callers)

    async def _call(self, client: httpx.AsyncClient, caller: int) -> None:
        number = 0
        while not self.stopped:
            number += 1
            await self._turn()
            text = f"{self.texts[number % len(self.texts)]} {caller} {number}"  # never the same: no cache answers
            if self.long_every and number % self.long_every == 0:
                text = f"{text} {_LONG}"
            try:
                answer = await client.post("/v1/predict", json={"text": text})
            except httpx.HTTPError as exc:
                self.failures[type(exc).__name__] += 1
                continue
            if answer.status_code == 200:
                self.answers.append((time.monotonic(), answer.json()["model"]["version"]))
                self.ids.append(answer.json()["id"])
            else:
                self.failures[f"{answer.status_code} {answer.text[:120]}"] += 1

    async def _turn(self) -> None:
        """Wait until the next request may leave."""
        now_s = time.monotonic()
        self._due_s = max(now_s, self._due_s + 1 / self.rps)
        await asyncio.sleep(self._due_s - now_s)


def wait_for(condition: Callable[[], object], within_s: float = 90) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@contextmanager
def running_rollouts(folder: Path, **settings: object) -> Iterator[Rollouts]:
    """Start a platform whose champion is a tiny version, put there by its alias, as ever; end it."""
    with running(folder / "home", **{**QUICK, **settings}) as platform:
        rollouts = Rollouts(platform)
        first = rollouts.register_by_command(folder / "champion")
        rollouts.registry.set_alias(MODEL, CHAMPION, first)
        wait_for(lambda: rollouts.serving() == {first: 1.0} and rollouts.loaded() == {first}, PATIENCE_S)
        yield rollouts
        rollouts.store.close()
