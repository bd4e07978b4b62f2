"""Runs an ingest under a line of progress, and prints what it counted."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from cli.online.connection import connect
from sentiment.client.bulk import IN_FLIGHT
from sentiment.client.http import UndertoneClient
from sentiment.clock import epoch_ms
from sentiment.datasets.source.labelling import Labelling
from sentiment.errors import UndertoneError
from sentiment.ingest import (
    HttpDelivery,
    Ingest,
    IngestCheckpoint,
    IngestLimits,
    IngestRequest,
    IngestTotals,
    ingests_folder,
    open_checkpoint,
    open_source,
    require_name,
)
from sentiment.settings import load_settings
from sentiment.sources import RowReader, StreamSource, TextSource, TimeReader
from sentiment.sources.gdelt.quarters import gaps_of
from sentiment.sources.times import require_format, zone_of

STDIN: Final = "stdin"
_ATTEMPTS: Final = 10  # about two minutes of patience with a platform that restarts
_CHUNK_BYTES: Final = 2**16
#: The pause between two lines of progress in a log, which is not a terminal.
_LOG_EVERY_S: Final = 10.0
_LISTED_GAPS: Final = 10


def run(request: IngestRequest, url: str | None, api_key: str | None, *, restart: bool, as_json: bool) -> None:
    """Run an ingest to its end and print its counts.

    Raises:
        Exit: with status 1, nothing of what was read could be kept.
    """
    console = Console(stderr=True, soft_wrap=True)
    require_name(request.name)
    limits = request.limits
    source = _source_of(request)
    root = ingests_folder(load_settings())
    with (
        connect(url, api_key, _ATTEMPTS) as client,
        open_checkpoint(root, request.name, request.options, restart=restart) as checkpoint,
    ):
        resumed = checkpoint.state.totals.read
        try:
            totals = asyncio.run(_ingest(request.name, limits, source, client, checkpoint, console))
        except (KeyboardInterrupt, asyncio.CancelledError, UndertoneError):
            if checkpoint.state.totals.read:
                console.print("Stopped. What was answered is kept: run the same command to continue.")
            raise
        gaps = gaps_of(checkpoint.state.position)
        _print_totals(request.name, totals, gaps, checkpoint.rejected, resumed, as_json=as_json)
    if totals.rejected and totals.rejected == totals.read:
        raise typer.Exit(1)


async def _ingest(
    name: str,
    limits: IngestLimits,
    source: TextSource,
    client: UndertoneClient,
    checkpoint: IngestCheckpoint,
    console: Console,
) -> IngestTotals:
    pool = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="ingest")
    try:
        with _progress(name, source.expected, console) as report:
            return await Ingest(source, HttpDelivery(client, name, pool), checkpoint, limits, report).run()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _source_of(request: IngestRequest) -> TextSource:
    reading = request.reading
    if request.kind != STDIN:
        return open_source(request, load_settings(), epoch_ms)
    if reading.time_format is not None:
        require_format(reading.time_format)
    times = TimeReader(reading.time_format, zone_of(reading.time_zone))
    reader = RowReader(request.name, reading.columns, times, Labelling(reading.labels), epoch_ms)
    return StreamSource(_chunks(stdin_descriptor()), reader)


def stdin_descriptor() -> int:
    """Return the descriptor of standard input."""
    return sys.stdin.fileno()


async def _chunks(descriptor: int) -> AsyncIterator[bytes]:
    """Yield the bytes of a descriptor as they arrive.

    A thread of its own waits for it: one that hangs in a read must not keep the command from ending.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[bytes] = asyncio.Queue(4)

    def read() -> None:
        """Hand on what arrives, until the end of the input or of the loop."""
        chunk = b"-"
        while chunk:
            chunk = os.read(descriptor, _CHUNK_BYTES)
            try:
                asyncio.run_coroutine_threadsafe(queue.put(chunk), loop).result()
            except (RuntimeError, asyncio.CancelledError):  # the loop has ended
                return

    threading.Thread(target=read, name="stdin", daemon=True).start()
    while chunk := await queue.get():
        yield chunk


@contextmanager
def _progress(name: str, expected: int | None, console: Console) -> Iterator[Callable[[IngestTotals], None]]:
    """Give a function that shows the totals: a line that changes on a terminal, a line now and then in a log."""
    began_s, began_rows = time.monotonic(), None
    last_logged_s = began_s
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), console=console, transient=True) as bars:
        bar = bars.add_task(name, total=expected)

        def report(totals: IngestTotals) -> None:
            """Show the totals."""
            nonlocal began_rows, last_logged_s
            now_s = time.monotonic()
            began_rows = totals.read if began_rows is None else began_rows
            rate = (totals.read - began_rows) / (now_s - began_s)
            line = _line(name, totals, expected, rate)
            bars.update(bar, description=line, completed=totals.read)
            if not console.is_terminal and now_s - last_logged_s >= _LOG_EVERY_S:
                last_logged_s = now_s
                console.print(line, markup=False, highlight=False)

        yield report


def _line(name: str, totals: IngestTotals, expected: int | None, rate: float) -> str:
    of = f" of {expected:,}" if expected is not None else ""
    return (
        f"{name}: {totals.read:,}{of} read, {totals.kept:,} kept ({totals.folded:,} folded), "
        f"{totals.rejected:,} rejected, {rate:,.0f} rows/s"
    )


def _print_totals(
    name: str, totals: IngestTotals, gaps: Mapping[str, str], rejected: Path, resumed: int, *, as_json: bool
) -> None:
    if as_json:
        typer.echo(json.dumps({"name": name, **totals.plain()} | ({"gaps": gaps} if gaps else {})))
        return
    console = Console(soft_wrap=True)
    for line in [*_remarks(name, totals, rejected, resumed), *_remarks_on_gaps(gaps)]:
        console.print(line, markup=False, highlight=False)


def _remarks(name: str, totals: IngestTotals, rejected: Path, resumed: int) -> list[str]:
    """Return what a person should know, a sentence each."""
    counts = f"{totals.read:,} read, {totals.kept:,} kept, {totals.folded:,} of these folded"
    remarks = [f"{name}: {counts}, {totals.rejected:,} rejected, in {totals.seconds:,.1f} s."]
    if resumed:
        is_done = resumed == totals.read
        remarks.append("Finished earlier; nothing was left to do." if is_done else f"Continued after row {resumed:,}.")
    if totals.repeated:
        remarks.append(f"{totals.repeated:,} had an id that was sent before: kept once.")
    if totals.corrected:
        remarks.append(f"{totals.corrected:,} had an impossible time, replaced by the time of arrival.")
    if totals.without_text:
        remarks.append(f"{totals.without_text:,} had no text.")
    if totals.rejected:
        remarks.append(f"{rejected} lists the rejected records, with the reasons.")
    return remarks


def _remarks_on_gaps(gaps: Mapping[str, str]) -> list[str]:
    """Return the missing parts of the source, a sentence each, and the number of further ones."""
    remarks = [f"Missing: {part} {reason}." for part, reason in itertools.islice(gaps.items(), _LISTED_GAPS)]
    if len(gaps) > _LISTED_GAPS:
        remarks.append(f"{len(gaps) - _LISTED_GAPS:,} others are missing.")
    return [*remarks, "Run the same command to ask for the missing parts again."] if remarks else []
