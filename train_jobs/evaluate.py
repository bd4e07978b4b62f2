"""Judge a model version on the test sets: a version folder, or what a running platform answers over HTTP.

python -m train_jobs.evaluate --corpora ../shared/data --model sentiment/shipped/sentiment
python -m train_jobs.evaluate --corpora ../shared/data --api http://127.0.0.1:8000
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import httpx
import numpy as np
from numpy.typing import NDArray

from sentiment.errors import InvalidInput, Unavailable
from sentiment.labels import THREE_CLASSES
from sentiment.predictor import Predictor
from train_jobs.judge import Classify, judge_all, read_test_sets, table

_LOG = logging.getLogger(__name__)
_MOST_TEXTS: Final = 1000
_MOST_CHARACTERS: Final = 60_000
_TIMEOUT_S: Final = 60.0


def from_predictor(predictor: Predictor) -> Classify:
    """Return a function that classifies with a loaded version of three classes.

    Raises:
        InvalidInput: the version answers with other labels.
    """
    if tuple(predictor.labels) != THREE_CLASSES:
        raise InvalidInput(f"The version answers with {predictor.labels}, the test sets need {THREE_CLASSES}.", "model")

    def classify(texts: Sequence[str]) -> NDArray[np.float64]:
        parts = [predictor.predict(chunk).probabilities for chunk in chunks(texts)]
        return np.array([row for part in parts for row in part], dtype=np.float64)

    return classify


def from_api(client: httpx.Client) -> Classify:
    """Return a function that classifies through `POST /v1/predict/batch` of `client`'s base address."""

    def classify(texts: Sequence[str]) -> NDArray[np.float64]:
        return np.array([row for chunk in chunks(texts) for row in _ask(client, chunk)], dtype=np.float64)

    return classify


def chunks(texts: Sequence[str]) -> Iterator[list[str]]:
    """Cut texts into requests of at most 1,000 texts and about 60,000 characters."""
    chunk: list[str] = []
    characters = 0
    for text in texts:
        if chunk and (len(chunk) == _MOST_TEXTS or characters + len(text) > _MOST_CHARACTERS):
            yield chunk
            chunk, characters = [], 0
        chunk.append(text)
        characters += len(text)
    if chunk:
        yield chunk


def main(arguments: Sequence[str]) -> None:
    """Judge what the command line names; write a table, or with --json all figures, to standard output."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    test_sets = read_test_sets(options.corpora)
    began = time.monotonic()
    if options.api:
        with httpx.Client(base_url=options.api, headers=_headers(options.api_key_file), timeout=_TIMEOUT_S) as client:
            figures = judge_all(test_sets, from_api(client))
    else:
        figures = judge_all(test_sets, from_predictor(Predictor.load(options.model, threads=options.threads)))
    _LOG.info("judged in %.0f s", time.monotonic() - began)
    sys.stdout.write((json.dumps(figures, indent=2) if options.json else table(figures)) + "\n")


def _headers(key_file: Path | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key_file.read_text().strip()}"} if key_file else {}


def _ask(client: httpx.Client, texts: list[str]) -> list[list[float]]:
    try:
        answer = client.post("/v1/predict/batch", json={"texts": texts}).raise_for_status()
    except httpx.HTTPError as exc:
        raise Unavailable(f"{client.base_url} did not answer {len(texts)} texts: {exc}") from exc
    return [[result["probabilities"][label] for label in THREE_CLASSES] for result in answer.json()["results"]]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m train_jobs.evaluate", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--corpora", type=Path, required=True, help="folder that holds the corpora")
    judged = parser.add_mutually_exclusive_group(required=True)
    judged.add_argument("--model", type=Path, help="version folder to judge")
    judged.add_argument("--api", help="address of a running platform to judge instead")
    parser.add_argument("--api-key-file", type=Path, help="file with the key for --api, where one is asked for")
    parser.add_argument("--threads", type=int, default=2, help="threads of the predictor (default: 2)")
    parser.add_argument("--json", action="store_true", help="write all figures as JSON instead of a table")
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
