"""Insight as a user meets it: a platform over a store of many texts, asked through the API, quiet and while texts come.

python -m tests.benchmarks.insight_api [--texts 100000] [--corpus FILE.csv] [--rounds 7] [--rate 200]

Prints JSON on its last line: milliseconds as medians (p95 beside them in the busy part); `page` is what the page of one
search asks for, one after the other; `seen_s` from a 200 to the count; `back_s` from a kill of the index's process to
the count of what came meanwhile; `load` how many processes wanted the machine's processors.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import count, islice
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from sentiment.records import PutText
from sentiment.store.sqlite import SqliteStore
from tests.benchmarks.insight_texts import FIRST_MS, SPAN_MS, indexed_texts, nearest_share, stored_texts
from tests.running_platform import RunningPlatform, running

_SAMPLE: Final = 20_000
_BATCH: Final = 50
_PROBES: Final = 5
_PATIENCE_S: Final = 600
_SPAN: Final = (("from", str(FIRST_MS)), ("to", str(FIRST_MS + SPAN_MS)))
_DAILY: Final = (*_SPAN, ("bucket", "day"))

Parameters = Sequence[tuple[str, str]]


def main() -> None:
    """Fill a store, start a platform over it, ask, and print."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / "home"
        figures: dict[str, Any] = {"texts": arguments.texts} | _fill(home, arguments.texts, arguments.corpus)
        questions = _questions(arguments.corpus)
        with running(home) as platform, httpx.Client(base_url=platform.url, timeout=60) as client:
            figures |= _wait_until_made(client, arguments.texts)
            figures["quiet_ms"] = _medians(client, questions, arguments.rounds)
            figures |= _busy(client, questions, arguments.rounds, arguments.rate)
            figures["seen_s"] = statistics.median(_seen_s(client, f"seen{number}") for number in range(_PROBES))
            figures["back_s"] = _back_s(client, platform)
            [process] = platform.replicas("Insight")
            figures["rss_mib"] = round(process.memory_info().rss / 2**20)
            figures["bytes_a_text"] = round(_bytes(home / "insight") / arguments.texts, 1)
    figures["load"] = round(psutil.getloadavg()[0], 1)
    print(json.dumps(figures))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rate", type=int, default=200, help="texts a second that come in meanwhile")
    return parser.parse_args()


def _fill(home: Path, texts: int, corpus: Path | None) -> dict[str, float]:
    home.mkdir(mode=0o700)
    started = time.perf_counter()
    with closing(SqliteStore(home / "undertone.db")) as store:
        records = stored_texts(texts, corpus)
        while batch := [PutText(record) for record in islice(records, 1000)]:
            store.apply(batch)
    return {"stored_per_s": round(texts / (time.perf_counter() - started))}


def _questions(corpus: Path | None) -> dict[str, Callable[[httpx.Client], object]]:
    sample = list(indexed_texts(_SAMPLE, corpus))
    words = [nearest_share(sample, share, 1) for share in (0.05, 0.04, 0.03, 0.02, 0.01)]
    pair = nearest_share(sample, 0.004, 2)
    asked: dict[str, tuple[str, Parameters]] = {
        "timeline": ("timeline", [("q", words[0]), *_DAILY]),
        "timeline_phrase": ("timeline", [("q", f'"{pair}"'), *_DAILY]),
        "compare_five": ("compare", [*(("q", word) for word in words), *_DAILY]),
        "related": ("related", [("q", words[0])]),
        "newest_50": ("top", [("q", words[0]), ("limit", "50")]),
        "complete": ("complete", [("q", words[0][:2])]),
    }

    def ask(question: str, parameters: Parameters) -> Callable[[httpx.Client], object]:
        return lambda client: _answer(client, question, parameters)

    questions = {name: ask(*each) for name, each in asked.items()}
    page = [questions[name] for name in ("timeline", "related", "newest_50")]
    return {**questions, "page": lambda client: [question(client) for question in page]}


_FRESH: Final = count()


def _answer(client: httpx.Client, question: str, parameters: Parameters) -> dict[str, Any]:
    """Ask what was not asked before: a blank more in the search changes nothing but that no answer is kept for it."""
    fresh = [(name, value + " " * (next(_FRESH) % 500 + 1) if name == "q" else value) for name, value in parameters]
    if question == "complete":
        fresh = list(parameters)
    answer = client.get(f"/v1/insights/{question}", params=fresh)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def _wait_until_made(client: httpx.Client, texts: int) -> dict[str, float]:
    started = time.perf_counter()
    while _total(client, "") < texts:
        assert time.perf_counter() - started < _PATIENCE_S
        time.sleep(0.5)
    return {"made_s_after_ready": round(time.perf_counter() - started, 1)}


def _medians(
    client: httpx.Client, questions: dict[str, Callable[[httpx.Client], object]], rounds: int
) -> dict[str, float]:
    times = {name: [_ms(question, client) for _ in range(rounds)] for name, question in questions.items()}
    return {name: round(statistics.median(each), 1) for name, each in times.items()}


def _busy(
    client: httpx.Client, questions: dict[str, Callable[[httpx.Client], object]], rounds: int, rate: int
) -> dict[str, Any]:
    is_over, sent = threading.Event(), [0]
    sender = threading.Thread(target=_send, args=(str(client.base_url), rate, is_over, sent))
    began = time.perf_counter()
    sender.start()
    times = {name: [_ms(question, client) for _ in range(2 * rounds)] for name, question in questions.items()}
    is_over.set()
    sender.join()
    came = sent[0] / (time.perf_counter() - began)
    medians = {name: round(statistics.median(each), 1) for name, each in times.items()}
    slowest = {name: round(statistics.quantiles(each, n=20)[-1], 1) for name, each in times.items()}
    return {"busy_ms": medians, "busy_p95_ms": slowest, "busy_texts_per_s": round(came)}


def _send(url: str, rate: int, is_over: threading.Event, sent: list[int]) -> None:
    with httpx.Client(base_url=url, timeout=60) as client:
        for number in count():
            began = time.perf_counter()
            texts = [f"busy text {time.time_ns()} {place} is as good as it gets" for place in range(_BATCH)]
            client.post("/v1/predict/batch", json={"texts": texts}).raise_for_status()
            sent[0] = (number + 1) * _BATCH
            if is_over.wait(max(0.0, _BATCH / rate - (time.perf_counter() - began))):
                return


def _seen_s(client: httpx.Client, word: str) -> float:
    client.post("/v1/predict", json={"text": f"a {word} text"}).raise_for_status()
    started = time.perf_counter()
    while not _total(client, word):
        assert time.perf_counter() - started < _PATIENCE_S
        time.sleep(0.02)
    return round(time.perf_counter() - started, 2)


def _back_s(client: httpx.Client, platform: RunningPlatform) -> float:
    for process in platform.replicas("Insight"):
        os.kill(process.pid, signal.SIGKILL)
    return _seen_s(client, "afterthekill")


def _total(client: httpx.Client, search: str) -> int:
    answer = client.get("/v1/insights/timeline", params=[("q", search), ("from", "2000-01-01"), ("bucket", "month")])
    return int(answer.json()["total"]) if answer.status_code == 200 else -1


def _ms(question: Callable[[httpx.Client], object], client: httpx.Client) -> float:
    started = time.perf_counter()
    question(client)
    return (time.perf_counter() - started) * 1000


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
