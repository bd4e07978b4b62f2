"""GDELT's files over real connections: what the server may do wrong, and an ingest that is killed on the way."""

from __future__ import annotations

import asyncio

import pytest

from sentiment.errors import Unavailable
from sentiment.ingest.opening import http_client
from sentiment.sources import SourceText
from sentiment.sources.gdelt.archive import ArchiveLimits
from sentiment.sources.gdelt.quarters import gaps_of
from sentiment.sources.gdelt.source import GdeltSource, GdeltSpan
from tests.gdelt_rows import gkg_row
from tests.gdelt_server import GdeltFiles, Served, served, zipped

NOON_MS = 1_772_366_400_000
STAMPS = [f"202603011{clock}00" for clock in ("200", "215", "230", "245", "300", "315")]


async def no_pause(_: float) -> None:
    await asyncio.sleep(0)


def source_at(address: str) -> GdeltSource:
    span = GdeltSpan(from_ms=NOON_MS, is_once=True)
    limits = ArchiveLimits(packed=100_000, unpacked=100_000)
    return GdeltSource("news", address, span, http_client, lambda: NOON_MS + 10**8, limits, no_pause)


async def test_what_a_server_does_wrong_costs_the_file_that_it_hits_and_no_other():
    files = GdeltFiles()
    for stamp in STAMPS:
        files.add(stamp, *(gkg_row(number, f"Title {number}", stamp) for number in range(4)))
    names = [f"{stamp}.gkg.csv.zip" for stamp in STAMPS]
    whole = files.files[names[0]]
    files.failures[names[0]] = [
        Served(whole.body, headers=whole.headers, sent=50),
        Served(b"", 503),
        Served(whole.body[:-30]),
    ]
    del files.files[names[1]]
    files.files[names[2]] = Served(zipped("0" * 1_000_000))
    files.files[names[3]] = Served(whole.body[:300])
    files.list(names[5], files.files[names[5]].body, md5="0" * 32)
    with served(files.answer) as address:
        arrivals = [arrival async for arrival in source_at(address).arrivals(None)]
    texts = [arrival.record for arrival in arrivals if isinstance(arrival.record, SourceText)]
    assert [text.id.partition(":")[2][:14] for text in texts] == [STAMPS[0]] * 4 + [STAMPS[4]] * 4
    gaps = gaps_of(arrivals[-1].position)
    assert list(gaps) == [names[1], names[2], names[3], names[5]]
    for reason, part in zip(gaps.values(), ("404", "beyond 100,000", "not a complete zip", "not 000"), strict=True):
        assert part in reason


async def test_a_server_that_is_gone_is_named():
    files = GdeltFiles()
    files.add(STAMPS[0], gkg_row())
    with served(files.answer) as address:
        pass
    with pytest.raises(Unavailable, match=f"{address}/lastupdate.txt does not answer"):
        _ = [arrival async for arrival in source_at(address).arrivals(None)]
