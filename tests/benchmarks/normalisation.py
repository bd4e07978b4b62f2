"""What normalising a text costs, each version in turn: tweets, a third of them with names, links, emoji or numbers.

python -m tests.benchmarks.normalisation

Prints JSON on its last line: microseconds a text (the least of several rounds) by version, and each one's part of the
first's.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

from sentiment.text import NORMALIZERS
from tests.benchmarks.texts import unique_texts

_TEXTS: Final = 3000
_ROUNDS: Final = 9
_SEED: Final = 7
_DECORATED: Final = 1 / 3
_DECORATIONS: Final = (
    *("@name_{n}", "RT @name_{n}:", "https://t.co/a{n}", "😀👍🏽", "❤️"),
    *("#topic{n}", "&amp; so", "on 12.10.2015", "{n}%", "call 555-01{n}"),
)


def tweets(count: int) -> list[str]:
    """Return texts of two sentences each, the same in every run."""
    draw = random.Random(_SEED)
    halves = unique_texts(2 * count, _SEED)
    return [_decorated(f"{first}. {second}!", draw) for first, second in zip(halves[::2], halves[1::2], strict=True)]


def _decorated(text: str, draw: random.Random) -> str:
    if draw.random() >= _DECORATED:
        return text
    first, last = (draw.choice(_DECORATIONS).format(n=draw.randint(10, 99)) for _ in range(2))
    return f"{first} {text} {last}"


def microseconds(normalize: Callable[[str], str], texts: Sequence[str]) -> float:
    """Return what a text takes in one round."""
    started = time.perf_counter()
    for text in texts:
        normalize(text)
    return (time.perf_counter() - started) / len(texts) * 1e6


def main() -> None:
    """Measure and print."""
    texts = tweets(_TEXTS)
    words = sum(len(text.split()) for text in texts) / len(texts)
    rounds = [{name: microseconds(run, texts) for name, run in NORMALIZERS.items()} for _ in range(_ROUNDS)]
    least = {name: min(each[name] for each in rounds) for name in NORMALIZERS}
    figures = {
        "words_a_text": round(words, 1),
        "us_a_text": {name: round(value, 2) for name, value in least.items()},
        "times_the_first": {name: round(value / least["1"], 2) for name, value in least.items()},
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
