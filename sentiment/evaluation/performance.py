"""How fast an exported version answers and what memory that takes, measured in a process that does nothing else.

python -m sentiment.evaluation.performance < request.json
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from sentiment.evaluation.child import answer_parent, peak_memory_bytes, run_in_child
from sentiment.predictor import Predictor
from sentiment.predictor.engines import EngineChoice

_MOST_TEXTS: Final = 2000
_LEAST_S: Final = 3.0
_TIMEOUT_S: Final = 600.0


@dataclass(frozen=True)
class Performance:
    """What was measured, on this machine: `tokens_per_text` is the mean with [CLS] and [SEP], memory the peak."""

    engine: str
    threads: int
    texts: int
    tokens_per_text: float
    texts_per_s: float
    load_s: float
    peak_memory_bytes: int


def measure_performance(
    folder: Path, texts: Sequence[str], *, engine: EngineChoice = "auto", threads: int = 2, least_s: float = _LEAST_S
) -> Performance:
    """Measure the version in `folder` on normalised texts, at most 2,000 different ones, for at least `least_s`.

    Raises:
        Unavailable: the measuring process failed.
    """
    sample = list(dict.fromkeys(texts))[:_MOST_TEXTS]
    request = {"folder": str(folder.absolute()), "texts": sample, "engine": engine, "threads": threads}
    return Performance(**run_in_child(__name__, {**request, "least_s": least_s}, _TIMEOUT_S))


def work(request: Mapping[str, Any]) -> dict[str, Any]:
    """Load the version, warm it up and classify the texts over and over; called in the child."""
    began = time.perf_counter()
    predictor = Predictor.load(Path(request["folder"]), engine=request["engine"], threads=request["threads"])
    loaded = time.perf_counter()
    texts: list[str] = request["texts"]
    predictor.warm_up()
    rounds, tokens, started = 0, 0, time.perf_counter()
    while rounds == 0 or time.perf_counter() - started < request["least_s"]:
        tokens = predictor.predict(texts).tokens
        rounds += 1
    elapsed_s = time.perf_counter() - started
    performance = Performance(
        engine=predictor.engine,
        threads=request["threads"],
        texts=len(texts),
        tokens_per_text=tokens / len(texts),
        texts_per_s=rounds * len(texts) / elapsed_s,
        load_s=loaded - began,
        peak_memory_bytes=peak_memory_bytes(),
    )
    return asdict(performance)


if __name__ == "__main__":
    answer_parent(work)
