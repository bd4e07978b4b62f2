"""Measure what telling languages costs: by itself, and what the engine takes for a text with it and without, in turn.

    python -m tests.benchmarks.languages [--texts 1000] [--rounds 5]

Times are CPU time, so that other work on the machine counts little. Prints a line of JSON last.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Final

from sentiment.language import Identify, detect_language, open_identifier
from sentiment.predictor import Predictor
from tests.behaviour.foreign_texts import TWENTY_LANGUAGES
from tests.behaviour.odd_english import ODD_ENGLISH
from tests.benchmarks.engine import measure
from tests.benchmarks.texts import unique_texts

_SHIPPED: Final = Path(__file__).parents[2] / "sentiment" / "shipped" / "sentiment"
_MICRO_BATCH: Final = 64


def identification_us(texts: list[str], identify: Identify, rounds: int) -> float:
    """Return the median of the rounds' CPU microseconds a text."""
    took = []
    for _ in range(rounds):
        started = time.thread_time()
        for text in texts:
            detect_language(text, ("en",), identify)
        took.append((time.thread_time() - started) / len(texts) * 1e6)
    return round(statistics.median(took), 1)


def main() -> None:
    """Run the benchmark of the command line."""
    arguments = _arguments()
    identify = open_identifier()
    assert identify is not None
    texts = unique_texts(arguments.texts, seed=1)
    kinds = {
        "tweet_lengths": texts,
        "odd_english": list(ODD_ENGLISH),
        "other_languages": [text for sentences in TWENTY_LANGUAGES.values() for text in sentences],
        "of_50000_characters": ["The book has twelve chapters and describes the town. " * 943],
    }
    found = {f"{kind}_us": identification_us(some, identify, arguments.rounds) for kind, some in kinds.items()}
    ways = [Predictor.load(_SHIPPED, identify_languages=told) for told in (True, False)]
    runs = [
        [measure(way, texts, callers=2, micro_batch=_MICRO_BATCH)["engine_cpu_ms_per_text"] for way in ways]
        for _ in range(arguments.rounds)
    ]
    ratio = statistics.median(without / told for told, without in runs)
    print(json.dumps({**found, "engine_cpu_ms_per_text": runs, "throughput_of_without": round(ratio, 4)}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=1000, help="unique texts of tweets' lengths")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, of which the median counts")
    return parser.parse_args()


if __name__ == "__main__":
    main()
