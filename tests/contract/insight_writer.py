"""Writes to an insight index from a process of its own: `python -m tests.contract.insight_writer <folder>`.

Commit n has the texts n0 to n9, and n as its position. Prints n once it is done, and goes on until it is killed.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from sentiment.insight.embedded.index import TantivyIndex
from tests.contract.insight_texts import indexed

TEXTS_A_COMMIT = 10


def main(folder: Path) -> None:
    """Write for ever."""
    index = TantivyIndex(folder)
    for n in itertools.count(1):
        index.apply([], [indexed(f"{n}{digit}", f"word{n}") for digit in range(TEXTS_A_COMMIT)], str(n))
        print(n, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
