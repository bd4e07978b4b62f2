"""A rollout to watch: a platform under load, a new version that takes over, and a degraded one that does not.

`make demo-rollout`, some three minutes. Nothing of it stays: the platform lives in a folder that goes at the end.
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
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import onnx
from onnx import TensorProto, helper

from sentiment.tokenisation import load_tokenisation
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
    """Threads that send texts until told to stop, and count which version answered."""

    def __init__(self, url: str, threads: int) -> None:
        self.answered: Counter[int] = Counter()
        self.failed = 0
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
        client.post("/v1/feedback", json={"id": answer.json()["id"], "label": label, "source": "demonstration"})


def show_rollout(platform: RunningPlatform, folder: Path, callers: Callers) -> None:
    """Register the version in `folder`, roll it out while callers send texts, and show it to its end."""
    said = json.loads(command(platform.environment, "models", "register", str(folder), "--json").stdout)
    version = str(said["version"])
    time.sleep(3 * _POLL_S)  # the controller tells gateways of a new version within two looks
    print(f"\n--- {folder.name}: version {version}\n", flush=True)
    command(platform.environment, "rollout", "start", version, *_PLAN)
    watch = [sys.executable, "-m", "cli.main", "rollout", "status", "--watch"]
    subprocess.run(watch, env=platform.environment, check=True)
    print(f"\nAnswers by version: {dict(callers.answered)}; failed requests: {callers.failed}", flush=True)


def main() -> None:
    """Show both rollouts."""
    with TemporaryDirectory() as scratch:
        place = Path(scratch)
        equal = copy_of_shipped(place / "an equal version", degraded=False)
        degraded = copy_of_shipped(place / "a degraded version", degraded=True)
        print("Starting a platform of its own ...", flush=True)
        settings = {"rollouts_shadow_share": 1.0, "rollouts_drain_s": 5, "registry_poll_s": _POLL_S}
        with running(place / "home", **settings) as platform, Callers(platform.url, _CALLERS) as callers:
            for folder in (equal, degraded):
                show_rollout(platform, folder, callers)
            print(command(platform.environment, "rollout", "history").stdout)


if __name__ == "__main__":
    main()
