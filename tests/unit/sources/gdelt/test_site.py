"""Files of GDELT's server: checked by size, MD5 and content, asked for again where an answer is wrong."""

from __future__ import annotations

import pytest

from sentiment.errors import Unavailable
from sentiment.sources.gdelt.archive import ArchiveLimits
from sentiment.sources.gdelt.quarters import FeedFile, NewsFeed
from sentiment.sources.gdelt.site import GdeltSite, MissingFile
from tests.gdelt_rows import gkg_row
from tests.gdelt_server import BASE, GdeltFiles, Served, zipped

STAMP, NAME = "20260301120000", "20260301120000.gkg.csv.zip"
FILE = FeedFile(1_772_366_400_000, NewsFeed.ENGLISH)


@pytest.fixture
def files() -> GdeltFiles:
    return GdeltFiles()


@pytest.fixture
def site(files: GdeltFiles) -> GdeltSite:
    return GdeltSite(files.client(), BASE, ArchiveLimits(packed=100_000, unpacked=100_000))


async def test_the_newest_file_is_the_one_that_its_feeds_list_names(site, files):
    archive = files.add(STAMP, gkg_row())
    files.add("20260301114500", gkg_row(), feed=".translation")
    english, translated = await site.newest(NewsFeed.ENGLISH), await site.newest(NewsFeed.TRANSLATED)
    assert (english.file, english.size_bytes) == (FILE, len(archive))
    assert translated.file.name == "20260301114500.translation.gkg.csv.zip"
    assert await site.archive(english.file, english) == archive


async def test_a_list_that_is_a_page_is_told_in_its_own_words(site, files):
    files.files["lastupdate.txt"] = Served(b"<h1>Down for maintenance</h1>")
    with pytest.raises(Unavailable, match=r"answers .*Down for maintenance.* instead of a list of files"):
        await site.newest(NewsFeed.ENGLISH)


async def test_a_server_that_recovers_is_asked_again(site, files):
    archive = files.add(STAMP, gkg_row())
    broken = Served(b"busy", 503, {"Retry-After": "7"})
    files.failures[NAME] = [broken, Served(archive, sent=10), Served(archive[:-9])]
    assert await site.archive(FILE) == archive
    assert files.asked.count(NAME) == 4


async def test_a_server_that_does_not_recover_is_named_with_its_words(site, files):
    files.failures[NAME] = [Served(b"<p>Quota exceeded</p>", 503)] * 5
    with pytest.raises(Unavailable, match=r"gdeltv2/20260301120000\.gkg\.csv\.zip answers 503: 'Quota exceeded'"):
        await site.archive(FILE)


async def test_a_file_that_is_not_there_is_missing_at_once(site, files):
    with pytest.raises(MissingFile, match="is not there"):
        await site.archive(FILE)
    assert files.asked == [NAME]


async def test_a_file_with_another_md5_or_size_than_listed_is_missing(site, files):
    archive = files.add(STAMP, gkg_row())
    files.list(NAME, archive, md5="0" * 32)
    with pytest.raises(MissingFile, match=f"has the MD5 .*, not {'0' * 32} as listed"):
        await site.archive(FILE, await site.newest(NewsFeed.ENGLISH))
    files.list(NAME, archive + b"x")
    with pytest.raises(MissingFile, match=r"has .* bytes, not .* as listed"):
        await site.archive(FILE, await site.newest(NewsFeed.ENGLISH))


async def test_the_md5_that_the_server_tells_is_held_against_an_older_file(site, files):
    files.add(STAMP, gkg_row(1))
    files.files[NAME] = Served(zipped(gkg_row(2)), headers=files.files[NAME].headers)
    with pytest.raises(MissingFile, match="has the MD5"):
        await site.archive(FILE)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"PK no archive", "is not a complete zip archive"),
        (zipped("0" * 1_000_000), "says that it unpacks to 1,000,000 bytes"),
        (b"x" * 200_000, "has more than 100,000 bytes"),
    ],
)
async def test_what_is_no_archive_or_a_bomb_is_missing(site, files, body, reason):
    files.files[NAME] = Served(body)
    with pytest.raises(MissingFile, match=reason):
        await site.archive(FILE)


async def test_a_list_sends_nobody_to_another_server(site, files):
    archive = files.add(STAMP, gkg_row())
    files.files["lastupdate.txt"] = Served(f"{len(archive)} {'a' * 32} http://evil.example/x/{NAME}".encode())
    assert (await site.newest(NewsFeed.ENGLISH)).file == FILE
    files.files["lastupdate.txt"] = Served(f"9 {'a' * 32} http://evil.example/../../etc/passwd".encode())
    with pytest.raises(Unavailable):
        await site.newest(NewsFeed.ENGLISH)
