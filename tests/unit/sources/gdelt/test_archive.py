"""Archives that are cut off, altered, encrypted, or blow up: refused before a line of them is read."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.sources.gdelt.archive import ArchiveLimits, DamagedArchive, check_archive, lines_of_archive
from tests.gdelt_server import zipped

LIMITS = ArchiveLimits(packed=10_000, unpacked=5_000, line=100)


def test_the_lines_of_a_table_come_without_their_ends():
    archive = zipped(b"one\r\ntwo\n\nlast")
    check_archive(archive, LIMITS)
    assert list(lines_of_archive(archive, LIMITS)) == [b"one", b"two", b"", b"last"]


def test_an_endless_line_is_cut_and_the_next_one_is_whole():
    archive = zipped(b"x" * 1000 + b"\nnext\n")
    assert [len(line) for line in lines_of_archive(archive, LIMITS)] == [101, 4]


def test_a_bomb_that_says_so_is_refused_by_what_it_says():
    with pytest.raises(DamagedArchive, match="says that it unpacks to 1,000,000 bytes, beyond 5,000"):
        check_archive(zipped(b"0" * 1_000_000), LIMITS)


def test_a_bomb_that_lies_is_refused():
    archive = bytearray(zipped(b"0" * 1_000_000))
    size = (1_000_000).to_bytes(4, "little")
    assert archive.count(size) >= 1
    with pytest.raises(DamagedArchive):
        check_archive(bytes(archive.replace(size, (4_000).to_bytes(4, "little"))), LIMITS)


def test_an_archive_without_its_one_table_is_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.csv", "1")
        archive.writestr("b.csv", "2")
    with pytest.raises(DamagedArchive, match="holds 2 tables, not one"):
        check_archive(file.getvalue(), LIMITS)
    with pytest.raises(DamagedArchive, match="holds 0 tables, not one"):
        check_archive(zipped(b"1", "readme.txt"), LIMITS)


def test_an_encrypted_table_is_refused():
    archive = bytearray(zipped(b"one\n"))
    archive[6] |= 1  # in the file's own header and in the directory
    archive[archive.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(DamagedArchive, match="encrypted"):
        check_archive(bytes(archive), LIMITS)


@given(st.data())
def test_an_archive_that_is_cut_off_or_altered_is_whole_or_damaged(data):
    content = b"".join(b"line %d\n" % number for number in range(200))
    archive = bytearray(zipped(content))
    place = data.draw(st.integers(0, len(archive) - 1))
    if data.draw(st.booleans()):
        del archive[place:]
    else:
        archive[place] ^= data.draw(st.integers(1, 255))
    try:
        check_archive(bytes(archive), LIMITS)
    except DamagedArchive:
        return
    assert b"\n".join(lines_of_archive(bytes(archive), LIMITS)) + b"\n" == content
