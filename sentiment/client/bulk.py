"""Classify the rows of a table through the API: in batches, a few in flight, results in the order of the rows.

A row that cannot be classified is a result with a reason, never an exception. What stops the work (the platform is away
for longer than the client's patience) raises, and everything before it has been yielded.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from sentiment.client.answers import Item, Result
from sentiment.client.http import UndertoneClient
from sentiment.errors import Conflict, DeadlineExceeded, InvalidInput, NotFound, Unavailable
from sentiment.labels import THREE_CLASSES
from sentiment.tables import BOOLEAN, INTEGER, NUMBER, STRING, Kind, Row, text_problem
from sentiment.text import has_visible_text

#: Rows of one request: with three in flight, 50 texts a second are still inside the gateway's deadline of 15 s.
BATCH_ROWS: Final = 200
BATCH_CHARACTERS: Final = 1_000_000
IN_FLIGHT: Final = 3
_TEMPORARY: Final = ("overloaded", "unavailable", "deadline_exceeded")
_ITEM_ATTEMPTS: Final = 6
_PLACE_IN_REQUEST: Final = re.compile(r"\bitems\.\d+\.")

#: What classification adds to a row.
ADDED_COLUMNS: Final[dict[str, Kind]] = {
    "label": STRING,
    "score": NUMBER,
    "sentiment": NUMBER,
    **{f"p_{label}": NUMBER for label in THREE_CLASSES},
    "model_version": INTEGER,
    "language": STRING,
    "supported": BOOLEAN,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a row: `values` of ADDED_COLUMNS, or the reason why it has none."""

    number: int
    values: dict[str, Any] | None
    reason: str | None = None


@dataclass(slots=True)
class VerdictCounts:
    """Counts verdicts as they come. `unsupported` rows have a label, but the model could not read them."""

    labels: Counter[str] = field(default_factory=Counter)
    rejected: int = 0
    sentiment_sum: float = 0.0
    versions: set[int] = field(default_factory=set)
    unsupported: int = 0

    def add(self, verdict: Verdict) -> None:
        """Count one verdict."""
        if verdict.values is None:
            self.rejected += 1
            return
        self.labels[verdict.values["label"]] += 1
        self.sentiment_sum += verdict.values["sentiment"]
        self.versions.add(verdict.values["model_version"])
        self.unsupported += not is_supported(verdict.values)

    @property
    def classified(self) -> int:
        """Rows that have a label."""
        return self.labels.total()

    @property
    def rows(self) -> int:
        """Rows seen, rejected ones included."""
        return self.classified + self.rejected

    @property
    def mean_sentiment(self) -> float:
        """Mean sentiment of the classified rows, in [−1, 1]; 0 if there are none."""
        return self.sentiment_sum / self.classified if self.classified else 0.0


def is_supported(values: Mapping[str, Any]) -> bool:
    """Return whether the model could read the text of an answer; those of earlier releases do not say."""
    return bool(values.get("supported", True))


def row_ids(*origin: str) -> Callable[[int], str]:
    """Return a function from row numbers to ids that are the same for the same origin: a second run is a retry."""
    stem = hashlib.blake2b("\0".join(origin).encode("utf-8", "replace"), digest_size=12).hexdigest()
    return lambda number: f"file-{stem}-{number}"


def classify_rows(
    client: UndertoneClient,
    rows: Iterable[Row],
    text_column: str,
    id_of: Callable[[int], str],
    batch_rows: int = BATCH_ROWS,
    in_flight: int = IN_FLIGHT,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[list[Verdict]]:
    """Yield the verdicts of one batch of rows after the other.

    Raises:
        Unavailable, Overloaded, DeadlineExceeded: the platform did not answer within the client's patience.
    """
    waiting: deque[Future[list[Verdict]]] = deque()
    pool = ThreadPoolExecutor(in_flight, thread_name_prefix="classify")
    try:
        for batch in _batches(rows, text_column, batch_rows):
            waiting.append(pool.submit(_classify, client, batch, text_column, id_of, sleep))
            if len(waiting) >= in_flight:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def added_names(columns: Iterable[str]) -> dict[str, str]:
    """Return the column that each of ADDED_COLUMNS is written to: never one that the table has already."""
    names = set(columns)
    return {name: _free(name, names) for name in ADDED_COLUMNS}


def _free(name: str, names: set[str]) -> str:
    while name in names:
        name = f"predicted_{name}"
    return name


def _batches(rows: Iterable[Row], text_column: str, batch_rows: int) -> Iterator[list[Row]]:
    batch: list[Row] = []
    characters = 0
    for row in rows:
        size = len(str(row.values.get(text_column) or ""))
        if batch and (len(batch) >= batch_rows or characters + size > BATCH_CHARACTERS):
            yield batch
            batch, characters = [], 0
        batch.append(row)
        characters += size
    if batch:
        yield batch


def _classify(
    client: UndertoneClient,
    batch: Sequence[Row],
    text_column: str,
    id_of: Callable[[int], str],
    sleep: Callable[[float], None],
) -> list[Verdict]:
    reasons = {row.number: reason for row in batch if (reason := reason_against(row, text_column))}
    items: dict[int, Item] = {
        row.number: {"text": row.values[text_column], "id": id_of(row.number)}
        for row in batch
        if row.number not in reasons
    }
    answers = answer_items(client, items, sleep)
    return [
        Verdict(row.number, None, reasons[row.number])
        if row.number in reasons
        else _verdict(row.number, answers[row.number])
        for row in batch
    ]


def reason_against(row: Row, text_column: str) -> str | None:
    """Say why a row has no text to classify; None if it has one."""
    if row.problem is not None:
        return row.problem
    text = row.values.get(text_column)
    if text_column not in row.values:
        return f"has no {text_column!r}"
    if problem := text_problem(text, text_column):
        return problem
    return None if isinstance(text, str) and has_visible_text(text) else f"{text_column!r} is empty"


def answer_items(
    client: UndertoneClient, items: Mapping[int, Item], sleep: Callable[[float], None] = time.sleep
) -> dict[int, Result]:
    """Return what the API says about each item, by its number; those whose error passes by itself are sent again.

    Raises:
        Unavailable, Overloaded, DeadlineExceeded: the platform did not answer within the client's patience.
    """
    answers: dict[int, Result] = {}
    waiting = dict(items)
    for attempt in range(_ITEM_ATTEMPTS):
        results = _results(client, waiting)
        answers |= results
        waiting = {number: waiting[number] for number, result in results.items() if _is_temporary(result)}
        if not waiting:
            return answers
        sleep(0.5 * 2**attempt)
    number = next(iter(waiting))
    raise Unavailable(f"Row {number} was not answered {_ITEM_ATTEMPTS} times: {reason_of(answers[number])}")


def _results(client: UndertoneClient, items: dict[int, Item]) -> dict[int, Result]:
    """Send one request; halve it where one item spoils it for the others or there is too much for the deadline."""
    if not items:
        return {}
    try:
        return dict(zip(items, client.predict_batch(list(items.values())), strict=True))
    except (InvalidInput, Conflict, NotFound, DeadlineExceeded) as exc:
        if len(items) > 1:
            halves = _halves(items)
            return _results(client, halves[0]) | _results(client, halves[1])
        if isinstance(exc, DeadlineExceeded):
            raise
        return {next(iter(items)): {"error": {"code": "invalid_input", "message": str(exc), "field": None}}}


def _halves(items: dict[int, Item]) -> tuple[dict[int, Item], dict[int, Item]]:
    pairs = list(items.items())
    middle = len(pairs) // 2
    return dict(pairs[:middle]), dict(pairs[middle:])


def _is_temporary(result: Result) -> bool:
    return "error" in result and result["error"]["code"] in _TEMPORARY


def _verdict(number: int, result: Result) -> Verdict:
    reason = reason_of(result)
    return Verdict(number, _added_values(result)) if reason is None else Verdict(number, None, reason)


def reason_of(result: Result) -> str | None:
    """Return why a text was refused, without its place in the request; None if it was answered."""
    return _PLACE_IN_REQUEST.sub("", result["error"]["message"]) if "error" in result else None


def _added_values(result: Mapping[str, Any]) -> dict[str, Any]:
    probabilities = result["probabilities"]
    return {
        "label": result["label"],
        "score": result["score"],
        "sentiment": result["sentiment"],
        **{f"p_{label}": probabilities.get(label, 0.0) for label in THREE_CLASSES},
        "model_version": result["model"]["version"],
        "language": result.get("language"),
        "supported": is_supported(result),
    }
