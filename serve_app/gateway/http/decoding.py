"""Compressed bodies: `Content-Encoding: gzip` and `zstd`, decompressed in small pieces while they are read."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, Final, Protocol

from starlette.types import Message, Receive

from serve_app.gateway.http.errors import HttpError

#: Most bytes that are decompressed at once, so that a small body of gigabytes costs no memory.
PIECE_BYTES: Final = 65_536
_GZIP: Final = 16 + zlib.MAX_WBITS


class Decoder(Protocol):
    """Inflates a body that comes in chunks."""

    def feed(self, chunk: bytes, *, is_last: bool) -> None:
        """Take the next bytes of the body."""

    def piece(self) -> bytes:
        """Return the next inflated bytes, at most `PIECE_BYTES`; none where it needs more, or at the end.

        Raises:
            HttpError: 400, the bytes are not of this encoding, or end too early.
        """


def decoder_of(encodings: Sequence[str], *, is_stream: bool) -> Decoder:
    """Return the decoder of a body with these Content-Encoding headers.

    Raises:
        HttpError: 415, an encoding is not supported, or there is more than one; the message names them.
    """
    names = [name.strip().lower() for value in encodings for name in value.split(",")]
    names = [name for name in names if name not in ("", "identity")]
    readable = ("gzip",) if is_stream else ("gzip", "zstd")
    if not names:
        return PlainDecoder()
    name = names[0].removeprefix("x-")
    if len(names) > 1 or name not in readable:
        raise _unsupported(", ".join(names)[:64], readable, is_stream=is_stream)
    return GzipDecoder() if name == "gzip" else ZstdDecoder()


def _unsupported(encodings: str, readable: Sequence[str], *, is_stream: bool) -> HttpError:
    what = "a stream" if is_stream else "a body"
    remedy = f"send {what} with one of {', '.join(readable)}, or uncompressed"
    message = f"Content-Encoding: {encodings!r} is not supported; {remedy}"
    return HttpError(415, "unsupported_media_type", message, "Content-Encoding")


class PlainDecoder:
    """Passes a body on as it comes."""

    def __init__(self) -> None:
        self._chunk = b""

    def feed(self, chunk: bytes, *, is_last: bool) -> None:  # noqa: ARG002 - the other decoders need it
        """Take the next bytes of the body."""
        self._chunk = chunk

    def piece(self) -> bytes:
        """Return them unchanged."""
        chunk, self._chunk = self._chunk, b""
        return chunk


class GzipDecoder:
    """Inflates gzip, of one member or of several in a row."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self._pending = b""
        self._is_begun = self._is_last = False

    def feed(self, chunk: bytes, *, is_last: bool) -> None:
        """Take the next bytes of the body."""
        self._pending += chunk
        self._is_last = is_last
        self._is_begun = self._is_begun or bool(chunk)

    def piece(self) -> bytes:
        """Return the next inflated bytes. Raises HttpError."""
        while True:
            if self._member.eof:
                if not self._pending:
                    return b""
                self._member = zlib.decompressobj(_GZIP)
            inflated = self._inflate()
            if inflated:
                return inflated
            if not self._member.eof and not self._pending:
                self._refuse_early_end()
                return b""

    def _inflate(self) -> bytes:
        try:
            inflated = self._member.decompress(self._pending, PIECE_BYTES)
        except zlib.error as exc:
            raise _corrupt("gzip", "broken, or is not gzip") from exc
        self._pending = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        return inflated

    def _refuse_early_end(self) -> None:
        if self._is_last and self._is_begun:
            raise _corrupt("gzip", "cut off before its end")


class ZstdDecoder:
    """Inflates zstd once all of it is there, of one frame or of several in a row."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._stream: Any = None

    def feed(self, chunk: bytes, *, is_last: bool) -> None:
        """Take the next bytes of the body."""
        self._chunks.append(chunk)
        if is_last:
            import pyarrow as pa

            self._stream = pa.CompressedInputStream(pa.BufferReader(b"".join(self._chunks)), "zstd")

    def piece(self) -> bytes:
        """Return the next inflated bytes. Raises HttpError."""
        if self._stream is None:
            return b""
        try:
            inflated: bytes = self._stream.read(PIECE_BYTES)
        except OSError as exc:
            raise _corrupt("zstd", "broken, cut off, or is not zstd") from exc
        return inflated


def _corrupt(encoding: str, problem: str) -> HttpError:
    return HttpError(400, "bad_request", f"body: the {encoding} data is {problem}; compress it again", "body")


class DecodedBody:
    """Receives a request's body decompressed. `limit_bytes` limits the decompressed bytes; None is for a stream."""

    def __init__(self, receive: Receive, encodings: Sequence[str], limit_bytes: int | None) -> None:
        self._receive, self._encodings, self._limit_bytes = receive, encodings, limit_bytes
        self._decoder: Decoder | None = None
        self._inflated_bytes = 0
        self._is_last = self._is_done = False

    async def __call__(self) -> Message:
        """Return the next message, as ASGI's `receive` does. Raises HttpError: 400, 413 or 415."""
        decoder = self._decoder = self._decoder or decoder_of(self._encodings, is_stream=self._limit_bytes is None)
        while not self._is_done:
            if piece := decoder.piece():
                self._count(piece)
                return {"type": "http.request", "body": piece, "more_body": True}
            if self._is_last:
                self._is_done = True
                return {"type": "http.request", "body": b"", "more_body": False}
            message = await self._receive()
            if message["type"] != "http.request":
                return message
            self._is_last = not message.get("more_body", False)
            decoder.feed(message.get("body", b""), is_last=self._is_last)
        return await self._receive()

    def _count(self, piece: bytes) -> None:
        self._inflated_bytes += len(piece)
        if self._limit_bytes is not None and self._inflated_bytes > self._limit_bytes:
            message = (
                f"the body has more than {self._limit_bytes} bytes when it is decompressed; "
                "send fewer texts in a request, or stream them"
            )
            raise HttpError(413, "too_large", message, "body")
