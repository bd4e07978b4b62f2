"""Reads and checks requests, and writes JSON."""

from __future__ import annotations

import codecs
import contextlib
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from sentiment.errors import InvalidInput
from sentiment.records import RawText
from serve_app.gateway.http.errors import LONGEST_NAME, HttpError, invalid_input
from serve_app.gateway.http.schemas.texts import TextIn

M = TypeVar("M", bound=BaseModel)


async def read(request: Request, schema: type[M]) -> M:
    """Return the JSON body as `schema`.

    Raises:
        InvalidInput: it does not match the schema.
        HttpError: 415, it is not in UTF-8.
    """
    body = in_utf8(await request.body())
    try:
        parsed = _parsed(body, schema)
    except ValidationError as exc:
        raise invalid_input(exc, schema) from None
    _refuse_repeated_names(body)
    return parsed


def in_utf8(body: bytes, field: str = "body") -> bytes:
    """Return JSON without a byte order mark. Raises HttpError: 415, it is in UTF-16 or UTF-32."""
    marked = body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in body[:4]
    if marked:  # JSON begins with two ASCII characters, neither of them zero
        message = f"{field}: is in UTF-16 or UTF-32; send JSON in UTF-8"
        raise HttpError(415, "unsupported_media_type", message, field)
    return body.removeprefix(codecs.BOM_UTF8)


def content_of(body: bytes) -> Any:
    """Return JSON in UTF-8 as Python values.

    Raises:
        ValueError, RecursionError: it is not JSON, or is nested too deeply.
        InvalidInput: an object has the same name twice, so that one value would be lost.
    """
    return json.loads(body, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) == len(pairs):
        return values
    repeated = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)[:LONGEST_NAME]
    raise InvalidInput(f"{repeated}: appears twice in one object; give each name one value", repeated)


def _refuse_repeated_names(body: bytes) -> None:
    with contextlib.suppress(
        ValueError, RecursionError
    ):  # this parser accepts less than the schema's, which has accepted the body
        content_of(body)


def _parsed(body: bytes, schema: type[M]) -> M:
    try:
        return schema.model_validate_json(body)
    except ValidationError as exc:
        if "hex escape" not in exc.errors(include_url=False)[0]["msg"]:
            raise
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            raise exc from None
    # A text has half of a surrogate pair. For pydantic's parser the whole body is broken; this one leaves it to the
    # check of each text.
    return schema.model_validate(content)


def read_query(request: Request, schema: type[M], repeated: frozenset[str] = frozenset()) -> M:
    """Return the query string as `schema`; the parameters in `repeated` are lists.

    Raises:
        InvalidInput: a parameter is wrong, or one that is not a list is given twice.
    """
    pairs = [pair for pair in request.query_params.multi_items() if pair[0] not in repeated]
    values: dict[str, Any] = dict(pairs)
    if len(values) != len(pairs):
        raise InvalidInput("query: a parameter is given twice; give each one once", "query")
    lists = {name: request.query_params.getlist(name) for name in repeated}
    values |= {name: items for name, items in lists.items() if items}
    try:
        return schema.model_validate(values)
    except ValidationError as exc:
        raise invalid_input(exc, schema) from None


def item_of(item: Any, field: str, max_characters: int) -> RawText | InvalidInput:
    """Return one item of a batch (a string or an object), or its error, which names `field`."""
    if not isinstance(item, str | dict):
        return InvalidInput(f"{field}: must be a string, or an object with a text", field)
    try:
        parsed = TextIn.model_validate({"text": item} if isinstance(item, str) else item, strict=None)
        return within_limit(parsed.raw(), max_characters, f"{field}.text")
    except ValidationError as exc:
        return invalid_input(exc, TextIn, field)
    except InvalidInput as exc:
        return exc


def within_limit(raw: RawText, max_characters: int, field: str = "text") -> RawText:
    """Return `raw`. Raises InvalidInput if its text is too long."""
    if len(raw.text) > max_characters:
        raise InvalidInput(f"{field} has {len(raw.text)} characters, at most {max_characters} are allowed", field)
    return raw


def json_response(body: Mapping[str, Any] | list[Any], status: int = 200) -> Response:
    """Return `body` as JSON."""
    return Response(to_json(body), status, media_type="application/json")


def described(schema: type[BaseModel]) -> dict[str, Any]:
    """Return the OpenAPI description of a route whose body is `schema`."""
    content = {"application/json": {"schema": schema.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}


def described_query(schema: type[BaseModel]) -> dict[str, Any]:
    """Return the OpenAPI description of a route whose query parameters are the fields of `schema`."""
    described = schema.model_json_schema()
    required = described.get("required", [])
    return {
        "parameters": [
            {"name": name, "in": "query", "schema": rule} | ({"required": True} if name in required else {})
            for name, rule in described["properties"].items()
        ]
    }
