"""A rollout to watch: a platform under load, a new version that takes over, and a degraded one that does not.

`make demo-rollout`, some three minutes. Nothing of it stays: the platform lives in a folder that goes at the end. The
last line says whether all went as expected, and so does the exit code.
"""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import onnx
from onnx import TensorProto, helper

from sentiment.predictor.tokenisation import load_tokenisation
from sentiment.version import Manifest, SelfCheck, Version, file_facts, read_version, write_manifest
from tests.running_platform import RunningPlatform, command, running

_PLAN = ("--plan", "shadow,10,50,100", "--hold", "10s", "--auto")
_CALLERS = 4
_OPENINGS = {
    "I love": "positive",
    "I really hate": "negative",
    "Thanks for": "positive",
    "What an awful waste:": "negative",
    "So happy with": "positive",
}
_THINGS = ("the new phone", "this train", "my dentist", "the pizza there", "your support team", "the weather")
_ENGINE = "model.int8.onnx"
_ONE_IN = 10
_POLL_S = 1.0
_PATIENCE_S = 120.0
#: What a degraded version may be stopped by: its answers, and nothing else.
_STOPPED_BY = ("opposite labels", "different labels", "feedback shows")


def copy_of_shipped(folder: Path, *, degraded: bool) -> Path:
    """Write the shipped model as another version; `degraded` swaps positive and negative on one text in ten."""
    shutil.copytree(str(files("sentiment") / "shipped" / "sentiment"), folder)
    original = read_version(folder)
    with (folder / "README.md").open("a") as card:
        card.write(f"\nA copy for the demonstration of a rollout{', degraded' if degraded else ''}.\n")
    checks = original.manifest.self_check
    if degraded:
        checks = tuple(check for check in checks if not _is_swapped(original, check))
        onnx.save(swapping(onnx.load(folder / _ENGINE)), folder / _ENGINE)
    manifest = original.manifest.model_dump() | {"files": file_facts(folder), "self_check": checks}
    write_manifest(folder, Manifest.model_validate(manifest))
    return folder


def swapping(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model that turns its logits round for texts of which the sum of the pieces' numbers ends with a 0."""
    graph = model.graph
    for node in graph.node:
        node.output[:] = ["straight" if name == "logits" else name for name in node.output]
    graph.node.extend(
        [
            helper.make_node("Mul", ["input_ids", "attention_mask"], ["real_ids"]),
            helper.make_node("ReduceSum", ["real_ids", "demo_axis"], ["id_sums"], keepdims=1),
            helper.make_node("Mod", ["id_sums", "demo_one_in"], ["remainders"]),
            helper.make_node("Equal", ["remainders", "demo_zero"], ["swapped"]),
            helper.make_node("Gather", ["straight", "demo_order"], ["turned"], axis=1),
            helper.make_node("Where", ["swapped", "turned", "straight"], ["logits"]),
        ]
    )
    constants = {"demo_axis": [1], "demo_one_in": [_ONE_IN], "demo_zero": [0], "demo_order": [2, 1, 0]}
    graph.initializer.extend(
        helper.make_tensor(name, TensorProto.INT64, [len(values)], values) for name, values in constants.items()
    )
    return model


def _is_swapped(version: Version, check: SelfCheck) -> bool:
    [pieces] = load_tokenisation(version).split([check.text])
    return any(sum(window) % _ONE_IN == 0 for window in pieces.windows)


class Callers:
    """Threads that send texts until told to stop; they count which version answered, and feedback without an answer."""

    def __init__(self, url: str, threads: int) -> None:
        self.answered: Counter[int] = Counter()
        self.failed = self.unheard = 0
        self._url, self._stopping = url, threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(number,)) for number in range(threads)]

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _call(self, number: int) -> None:
        with httpx.Client(base_url=self._url, timeout=60) as client:
            pairs = itertools.cycle(itertools.product(_OPENINGS.items(), _THINGS))
            for count, ((opening, label), thing) in enumerate(pairs):
                if self._stopping.is_set():
                    return
                self._send(
                    client, f"{opening} {thing}, day {count} of {number}", label
                )  # no two are equal: no cache answers

    def _send(self, client: httpx.Client, text: str, label: str) -> None:
        try:
            answer = client.post("/v1/predict", json={"text": text})
            answer.raise_for_status()
        except httpx.HTTPError:
            self.failed += 1
            return
        self.answered[answer.json()["model"]["version"]] += 1
        # What somebody says that the label truly is; where the store is a moment behind, it is left out.
        feedback = {"id": answer.json()["id"], "label": label, "source": "demonstration"}
        try:
            client.post("/v1/feedback", json=feedback)
        except httpx.HTTPError:
            self.unheard += 1


def surprises(rollout: Mapping[str, Any], *, degraded: bool) -> Iterator[str]:
    """Return what is not as it should be in how a rollout ended."""
    end = f"the rollout of version {rollout['challenger']} ended as {rollout['state']}: {rollout['reason']}"
    if degraded and rollout["state"] != "aborted":
        yield f"a degraded version was not stopped; {end}"
    elif degraded and not any(reason in rollout["reason"] for reason in _STOPPED_BY):
        yield f"a degraded version was stopped, but not by its answers; {end}"
    elif not degraded and rollout["state"] != "done":
        yield f"an equal version did not take over; {end}"


def show_rollout(platform: RunningPlatform, folder: Path, callers: Callers) -> dict[str, Any]:
    """Register the version in `folder`, roll it out while callers send texts, show it to its end and return that."""
    said = json.loads(command(platform.environment, "models", "register", str(folder), "--json").stdout)
    version = int(said["version"])
    with httpx.Client(base_url=platform.url, timeout=60) as client:
        wait_until_listed(client, version)
        print(f"\n--- {folder.name}: version {version}\n", flush=True)
        command(platform.environment, "rollout", "start", str(version), *_PLAN)
        watch = [sys.executable, "-m", "cli.main", "rollout", "status", "--watch"]
        subprocess.run(watch, env=platform.environment, check=True)
        ended: dict[str, Any] = client.get("/v1/rollouts/current").raise_for_status().json()
    print(f"\nAnswers by version: {dict(callers.answered)}; failed requests: {callers.failed}", flush=True)
    return ended


def wait_until_listed(client: httpx.Client, version: int, patience_s: float = _PATIENCE_S) -> None:
    """Wait until the gateways know a version that was registered just now: the controller tells them.

    Raises:
        TimeoutError: they do not, in `patience_s` seconds.
    """
    deadline = time.monotonic() + patience_s
    while not any(row["version"] == version for row in client.get("/v1/models").raise_for_status().json()["models"]):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the platform does not list version {version} {patience_s:g} s after it was registered")
        time.sleep(_POLL_S / 2)


def main() -> int:
    """Show both rollouts; return 0 if all went as expected."""
    with TemporaryDirectory() as scratch:
        place = Path(scratch)
        equal = copy_of_shipped(place / "an equal version", degraded=False)
        degraded = copy_of_shipped(place / "a degraded version", degraded=True)
        print("Starting a platform of its own ...", flush=True)
        settings = {"rollouts_shadow_share": 1.0, "rollouts_drain_s": 5, "registry_poll_s": _POLL_S}
        found: list[str] = []
        with running(place / "home", **settings) as platform, Callers(platform.url, _CALLERS) as callers:
            for folder in (equal, degraded):
                found += surprises(show_rollout(platform, folder, callers), degraded=folder is degraded)
            print(command(platform.environment, "rollout", "history").stdout)
    if callers.failed:
        found.append(f"{callers.failed} requests failed")
    if callers.unheard:
        print(f"Feedback that got no answer: {callers.unheard}")
    print("NOT as expected: " + "; ".join(found) if found else "All went as expected.", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
