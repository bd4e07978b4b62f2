"""The insight index alone: how fast it is made, how fast it answers, and what it takes on disk and in memory.

python -m tests.benchmarks.insight [--texts 500000] [--corpus FILE.csv] [--folder FOLDER] [--rounds 7]

With `--folder` the index stays there, and the next run uses it as it is. Prints JSON on its last line: milliseconds as
medians of warm rounds, `cold` the first call after the folder was opened, `busy` the 95th percentile while 200 texts a
second come in, `load` how many processes wanted the machine's processors: more than there are spoil the figures.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import psutil

from sentiment.insight.embedded.index import TantivyIndex
from sentiment.insight.query.parser import parse_query
from sentiment.insight.values import IndexedText, Query, Span
from tests.benchmarks.insight_texts import FIRST_MS, SPAN_MS, indexed_texts, nearest_share

_SAMPLE: Final = 20_000
_A_SECOND: Final = 200
_BUSY_S: Final = 10
_UTC: Final = Span(FIRST_MS, FIRST_MS + SPAN_MS, "day")
_BERLIN: Final = replace(_UTC, tz="Europe/Berlin")
_MONTHS: Final = replace(_UTC, bucket="month")
_NOW_MS: Final = FIRST_MS + 2 * SPAN_MS


def main() -> None:
    """Make an index, ask it, and print."""
    arguments = _arguments()
    sample = list(indexed_texts(_SAMPLE, arguments.corpus))
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch) / "insight"
        figures: dict[str, Any] = {"texts": arguments.texts}
        index = TantivyIndex(folder)
        if not index.position:
            figures |= _make(index, arguments.texts, arguments.corpus)
        index.close()
        figures |= _ask(folder, _questions(sample), sample, arguments.rounds)
        figures["bytes_a_text"] = round(_bytes(folder) / arguments.texts, 1)
        figures["load"] = round(psutil.getloadavg()[0], 1)
        figures["rss_mib"] = round(psutil.Process().memory_info().rss / 2**20)
    print(json.dumps(figures))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=500_000)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    return parser.parse_args()


def _make(index: TantivyIndex, count: int, corpus: Path | None) -> dict[str, float]:
    """Fill an index; what the texts themselves take to make is told apart."""
    making_s = 0.0

    def texts() -> Iterator[IndexedText]:
        nonlocal making_s
        made = indexed_texts(count, corpus)
        while True:
            began = time.perf_counter()
            text = next(made, None)
            making_s += time.perf_counter() - began
            if text is None:
                return
            yield text

    started = time.perf_counter()
    index.rebuild(texts(), "made")
    seconds = time.perf_counter() - started
    return {
        "seconds": round(seconds, 1),
        "texts_per_s": round(count / seconds),
        "texts_per_s_index_alone": round(count / (seconds - making_s)),
    }


def _questions(sample: list[IndexedText]) -> dict[str, Callable[[TantivyIndex], object]]:
    words = [nearest_share(sample, share, 1) for share in (0.05, 0.04, 0.03, 0.02, 0.01)]
    pair = nearest_share(sample, 0.004, 2)
    word, phrase, everything = _query(words[0]), _query(f'"{pair}"'), _query("")
    five = [_query(each) for each in words]
    mixed = _query(f"({words[0]} or {words[1]}) not {words[2]}")
    close = _query(f"near(5, {words[0]} {words[1]})")
    return {
        "timeline": lambda index: index.timeline(word, _UTC, _NOW_MS),
        "timeline_berlin": lambda index: index.timeline(word, _BERLIN, _NOW_MS),
        "timeline_months": lambda index: index.timeline(word, _MONTHS, _NOW_MS),
        "timeline_phrase": lambda index: index.timeline(phrase, _UTC, _NOW_MS),
        "timeline_and_or_not": lambda index: index.timeline(mixed, _UTC, _NOW_MS),
        "timeline_near": lambda index: index.timeline(close, _UTC, _NOW_MS),
        "timeline_everything": lambda index: index.timeline(everything, _UTC, _NOW_MS),
        "compare_five": lambda index: index.compare(five, _UTC, _NOW_MS),
        "related": lambda index: index.related(word, 20),
        "newest_50": lambda index: index.top(word, "newest", 50),
        "newest_50_phrase": lambda index: index.top(phrase, "newest", 50),
        "positive_50": lambda index: index.top(word, "positive", 50),
        "count": lambda index: index.count(word),
        "extent": lambda index: index.extent(word),
        "complete": lambda index: index.complete(words[0][:2], 10),
    }


def _query(text: str) -> Query:
    return parse_query(text, str)


def _ask(
    folder: Path, questions: dict[str, Callable[[TantivyIndex], object]], sample: list[IndexedText], rounds: int
) -> dict[str, Any]:
    index = TantivyIndex(folder)
    cold = {name: _ms(ask, index) for name, ask in questions.items()}
    warm = {name: statistics.median(_ms(ask, index) for _ in range(rounds)) for name, ask in questions.items()}
    commits = _writes(index, sample)
    busy = _while_writing(index, questions["timeline"], sample)
    index.close()
    rounded = {"warm_ms": warm, "cold_ms": cold, "commit_ms": commits, "busy_ms": {"timeline_p95": busy}}
    return {kind: {name: round(ms, 2) for name, ms in values.items()} for kind, values in rounded.items()}


def _writes(index: TantivyIndex, sample: list[IndexedText]) -> dict[str, float]:
    """Return what a commit takes with 1 and 200 new texts, and with as many that were there."""
    texts = _new_texts(sample)
    one, many = list(islice(texts, 1)), list(islice(texts, _A_SECOND))
    found = {}
    for name, batch in (("one_new", one), ("200_new", many), ("200_replaced", many)):
        found[name] = _ms(lambda index, batch=batch: index.apply([], batch, "benchmark"), index)
    return found


def _while_writing(index: TantivyIndex, ask: Callable[[TantivyIndex], object], sample: list[IndexedText]) -> float:
    is_over, texts = threading.Event(), _new_texts(sample)

    def write() -> None:
        while not is_over.wait(1):
            index.apply([], list(islice(texts, _A_SECOND)), "benchmark")

    writer = threading.Thread(target=write)
    writer.start()
    latencies, end = [], time.perf_counter() + _BUSY_S
    while time.perf_counter() < end:
        latencies.append(_ms(ask, index))
        time.sleep(0.05)
    is_over.set()
    writer.join()
    return statistics.quantiles(latencies, n=20)[-1]


def _new_texts(sample: list[IndexedText]) -> Iterator[IndexedText]:
    begin = time.time_ns()
    for number, text in enumerate(sample):
        yield replace(text, id=f"new-{begin}-{number}", created_at_ms=FIRST_MS + SPAN_MS + number)


def _ms(ask: Callable[[TantivyIndex], object], index: TantivyIndex) -> float:
    started = time.perf_counter()
    ask(index)
    return (time.perf_counter() - started) * 1000


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
