"""Keeps an index true to a store until it is killed.

python -m tests.integration.index_follower STORE INDEX
"""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path

from sentiment.clock import epoch_ms
from sentiment.insight.embedded.index import TantivyIndex
from sentiment.insight.indexer import Indexer
from tests.contract.stores import open_at


def main(address: str, folder: str) -> None:
    indexer = Indexer(open_at(address), partial(TantivyIndex, Path(folder)), epoch_ms)
    while True:
        indexer.tick()
        sys.stdout.write("tick\n")
        sys.stdout.flush()
        time.sleep(0.02)


if __name__ == "__main__":
    main(*sys.argv[1:])
