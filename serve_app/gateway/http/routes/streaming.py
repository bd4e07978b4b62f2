"""The NDJSON stream: lines in, answers out, in order, with bounded memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from pydantic_core import to_json
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sentiment.errors import InvalidInput, Overloaded, UndertoneError
from sentiment.records import RawText
from serve_app.gateway.http.arrival import Arrivals
from serve_app.gateway.http.body import content_of, in_utf8, item_of
from serve_app.gateway.http.errors import HttpError, status_and_body
from serve_app.gateway.http.rendering import prediction_out
from serve_app.gateway.prediction.service import PredictionService
from serve_app.routing.router import Preference

#: Most lines under way at once: then reading stops until the client has taken answers.
WINDOW: Final = 256
_BYTES_PER_CHARACTER: Final = 12  # an escaped pair of surrogates
_OTHER_FIELDS_BYTES: Final = 16_384
_PAUSE_S: Final = 0.05

Pending = asyncio.Task[bytes] | None
_NOTHING: Final[Any] = object()  # no task taken yet; None is the end of the stream


class NdjsonResponse(Response):
    """Reads the request's lines and writes an answer for each; a wrong line gets an error in its place."""

    media_type = "application/x-ndjson"

    def __init__(
        self, service: PredictionService, max_characters: int, preference: Preference, arrivals: Arrivals
    ) -> None:
        super().__init__()
        self._arrivals = arrivals
        self._preference = preference
        self._service = service
        self._max_characters = max_characters
        self._longest_bytes = max_characters * _BYTES_PER_CHARACTER + _OTHER_FIELDS_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the request ends or the client disconnects."""
        headers = [(b"content-type", self.media_type.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        pending: asyncio.Queue[Pending] = asyncio.Queue(WINDOW)
        reader = asyncio.create_task(self._read(Request(scope, receive), pending))
        try:
            await _write(pending, send)
            await reader
        except ClientDisconnect:
            pass
        finally:
            reader.cancel()
            _cancel_all(pending)

    async def _read(self, request: Request, pending: asyncio.Queue[Pending]) -> None:
        try:
            number, name = 0, self._arrivals.name_of(request)
            async for line in _lines(request.stream(), self._longest_bytes):
                await pending.put(asyncio.create_task(self._answer(line, number, name)))
                number += 1
        except HttpError as exc:  # the body cannot be decompressed: the last answer is the error
            await pending.put(asyncio.create_task(_refusal(exc)))
        finally:
            await pending.put(None)

    async def _answer(self, line: bytes | None, number: int, name: str | None) -> bytes:
        place = f"lines.{number}"
        item = self._too_long(place) if line is None else _parsed(line, place, self._max_characters)
        if isinstance(item, InvalidInput):
            return to_json({"error": status_and_body(item)[1], "id": None}) + b"\n"
        answer = await self._predict(self._arrivals.text(name, number, item))
        if isinstance(answer, Exception):
            return to_json({"error": status_and_body(answer, place)[1], "id": item.id}) + b"\n"
        return to_json(prediction_out(answer)) + b"\n"

    def _too_long(self, place: str) -> InvalidInput:
        return InvalidInput(f"{place} has more than {self._longest_bytes} bytes; send a shorter text", place)

    async def _predict(self, raw: RawText) -> Any:
        while True:
            try:
                [answer] = await self._service.predict([raw], bulk=True, waits=True, preference=self._preference)
                return answer
            except Overloaded:  # a stream waits for its turn
                await asyncio.sleep(_PAUSE_S)
            except UndertoneError as exc:  # for example, the pinned version has ended meanwhile
                return exc


async def _refusal(error: HttpError) -> bytes:
    return to_json({"error": status_and_body(error)[1], "id": None}) + b"\n"


async def _write(pending: asyncio.Queue[Pending], send: Send) -> None:
    """Send answers in order, as many at once as are ready."""
    task = await pending.get()
    while task is not None:
        chunk, task = [await task], _NOTHING
        while task is _NOTHING and not pending.empty():
            task = pending.get_nowait()
            if task is not None and task.done():
                chunk.append(task.result())
                task = _NOTHING
        await send({"type": "http.response.body", "body": b"".join(chunk), "more_body": True})
        task = await pending.get() if task is _NOTHING else task
    await send({"type": "http.response.body", "body": b""})


def _cancel_all(pending: asyncio.Queue[Pending]) -> None:
    while not pending.empty():
        if (task := pending.get_nowait()) is not None:
            task.cancel()


def _parsed(line: bytes, field: str, max_characters: int) -> RawText | InvalidInput:
    try:
        return item_of(content_of(in_utf8(line, field)), field, max_characters)
    except HttpError as exc:
        return InvalidInput(str(exc), field)
    except InvalidInput as exc:
        return InvalidInput(f"{field}.{exc}", f"{field}.{exc.field}")
    except (ValueError, RecursionError):
        return InvalidInput(f"{field} is not JSON; send one object with a text on each line", field)


async def _lines(chunks: AsyncIterator[bytes], longest: int) -> AsyncIterator[bytes | None]:
    """Yield the body's lines; for one longer than `longest` bytes None."""
    buffer, skipping = b"", False
    async for chunk in chunks:
        *complete, buffer = (buffer + chunk).split(b"\n")
        for line in complete:
            if skipping or line.strip():
                yield None if skipping or len(line) > longest else line
            skipping = False
        if len(buffer) > longest:
            buffer, skipping = b"", True
    if skipping or buffer.strip():
        yield None if skipping else buffer
