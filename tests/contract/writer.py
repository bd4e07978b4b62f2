"""Writes to a store from a process of its own: `python -m tests.contract.writer <address> <words> <count>`.

Puts texts t0, t1, … that all say `<words>`, in batches of 20, and prints one line of outcomes a batch. With count 0 it
goes on, and prints the last id of each acknowledged batch, until it is killed.
"""

from __future__ import annotations

import itertools
import sys

from sentiment.records import PutText
from tests.contract.stores import open_at, text

BATCH = 20


def main(address: str, words: str, count: int) -> None:
    """Write `count` texts, or for ever."""
    store = open_at(address)
    for first in itertools.count(0, BATCH) if count == 0 else range(0, count, BATCH):
        outcomes = store.apply([PutText(text(f"t{n}", words)) for n in range(first, first + BATCH)])
        print(first + BATCH - 1 if count == 0 else " ".join(outcomes), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
