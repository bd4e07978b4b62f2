"""Frames: the format of a journal's records in a segment file, readable also after a crash or on a damaged disk.

A frame is a header (magic, payload bytes, operations, epoch ms, CRC-32 of the payload, CRC-32 of the header) and the
payload. The header has its own checksum, to distinguish a truncated frame from a damaged one.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

MAGIC: Final = b"UTJ1"
_FIELDS: Final = struct.Struct("<4sIIqI")
_CHECK: Final = struct.Struct("<I")
HEADER_BYTES: Final = _FIELDS.size + _CHECK.size


@dataclass(frozen=True, slots=True)
class Header:
    """A frame's header; `at_ms` is when it was appended."""

    payload_bytes: int
    operations: int
    at_ms: int
    payload_crc: int


@dataclass(frozen=True, slots=True)
class FramePiece:
    """The bytes from `start` to `end` of a segment: a frame, or without a `header` damage or an interrupted write."""

    start: int
    end: int
    header: Header | None
    content: bytes
    torn: bool = False


def encode_frame(payload: bytes, operations: int, at_ms: int) -> bytes:
    """Return the frame's bytes."""
    fields = _FIELDS.pack(MAGIC, len(payload), operations, at_ms, zlib.crc32(payload))
    return fields + _CHECK.pack(zlib.crc32(fields)) + payload


def read_pieces(path: Path, start: int, end: int | None = None) -> Iterator[FramePiece]:
    """Read a segment from `start`, where a frame begins, to `end` (default: its end), with damage as pieces too."""
    with path.open("rb") as file:
        limit = os.fstat(file.fileno()).st_size if end is None else end
        while start < limit:
            piece = _frame_at(file, start, limit) or _damage_at(file, start, limit)
            yield piece
            start = piece.end


def read_headers(path: Path, start: int, end: int | None = None) -> Iterator[Header]:
    """Read only the headers, up to the first damage; much faster than reading the frames."""
    with path.open("rb") as file:
        limit = os.fstat(file.fileno()).st_size if end is None else end
        while header := _header_at(file, start):
            start += HEADER_BYTES + header.payload_bytes
            if start > limit:
                return
            yield header


def _header_at(file: BinaryIO, offset: int) -> Header | None:
    file.seek(offset)
    return _parse_header(file.read(HEADER_BYTES))


def _frame_at(file: BinaryIO, offset: int, limit: int) -> FramePiece | None:
    header = _header_at(file, offset)
    if header is None or offset + HEADER_BYTES + header.payload_bytes > limit:
        return None
    payload = file.read(header.payload_bytes)
    if zlib.crc32(payload) != header.payload_crc:
        return None
    return FramePiece(offset, offset + HEADER_BYTES + len(payload), header, payload)


def _damage_at(file: BinaryIO, offset: int, limit: int) -> FramePiece:
    file.seek(offset)
    rest = file.read(limit - offset)
    following = _next_frame(rest)
    if following is None:
        return FramePiece(offset, limit, None, rest, torn=_is_torn(rest))
    return FramePiece(offset, offset + following, None, rest[:following])


def _next_frame(data: bytes) -> int | None:
    at = data.find(MAGIC, 1)
    while at >= 0:
        header = _parse_header(data[at : at + HEADER_BYTES])
        payload = data[at + HEADER_BYTES :][: header.payload_bytes] if header else b""
        if header and len(payload) == header.payload_bytes and zlib.crc32(payload) == header.payload_crc:
            return at
        at = data.find(MAGIC, at + 1)
    return None


def _is_torn(data: bytes) -> bool:
    header = _parse_header(data[:HEADER_BYTES])
    cut_short = header is not None and len(data) < HEADER_BYTES + header.payload_bytes
    return cut_short or len(data) < HEADER_BYTES or not any(data)  # zeros: the size reached the disk, the bytes did not


def _parse_header(data: bytes) -> Header | None:
    if len(data) < HEADER_BYTES or not data.startswith(MAGIC):
        return None
    if _CHECK.unpack_from(data, _FIELDS.size)[0] != zlib.crc32(data[: _FIELDS.size]):
        return None
    return Header(*_FIELDS.unpack_from(data)[1:])
