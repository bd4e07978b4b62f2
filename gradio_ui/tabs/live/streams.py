"""What the tab *Live* asks the API for: which streams there are, how one is, and new ones."""

from __future__ import annotations

import filecmp
import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from sentiment.client.http import UndertoneClient
from sentiment.errors import InvalidInput, Unavailable

DEMO: Final = "Demonstration"
UPLOAD: Final = "A file of mine"
BLUESKY: Final = "Bluesky"
SPEEDS: Final = ("max", "1x", "60x", "3600x", "86400x")
_DEMO_NAME: Final = "harwick-bay"
_COLUMNS: Final = ("time", "author", "topic", "id", "label")
_UPLOADS: Final = "uploads"
_KEPT_UPLOADS_S: Final = 24 * 3600
_LATEST: Final = 10
_LABELLED: Final = 500
_FACETS: Final = 8
_KINDS: Final = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class StreamRequest:
    """A stream to start. `columns` maps what a column holds (`time`, `author` …) to its name or to nothing."""

    source: str
    name: str = ""
    limit: str = ""
    speed: str = "max"
    text_column: str = "text"
    columns: Mapping[str, str] | None = None
    languages: str = ""
    upload: str | None = None


@dataclass(frozen=True)
class StreamSnapshot:
    """A stream as it is now: its ingest, its texts over time, the latest texts, and the texts with a true label."""

    ingest: Mapping[str, Any]
    timeline: Mapping[str, Any]
    latest: Sequence[Mapping[str, Any]]
    labelled: Sequence[Mapping[str, Any]]
    topics: Sequence[Mapping[str, Any]] = ()
    authors: Sequence[Mapping[str, Any]] = ()


def start(
    client: UndertoneClient, folder: Path, request: StreamRequest, now_s: Callable[[], float] = time.time
) -> dict[str, Any]:
    """Start a stream, or let the one of that name go on, and return it.

    Raises:
        InvalidInput: a field is wrong, naming it.
        UndertoneError: the platform does not take it.
    """
    body: dict[str, Any] = {"speed": request.speed}
    if request.limit.strip():
        body["limit"] = _number(request.limit)
    if request.source == BLUESKY:
        codes = [code.strip() for code in request.languages.split(",") if code.strip()]
        body |= {"name": _name(request.name or "bluesky"), "kind": "bluesky", "languages": codes or None}
        del body["speed"]
    elif request.source == DEMO:
        body |= _demo(folder)
    else:
        body |= _uploaded(folder, request, now_s())
    return client.start_ingest({name: value for name, value in body.items() if value is not None})


def ingest_of(ingests: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any] | None:
    """Return the ingest of that name, None where there is none."""
    return next((each for each in ingests if each["name"] == name), None)


def timeline_of(client: UndertoneClient, name: str) -> dict[str, Any]:
    """Return a stream's texts over time."""
    return client.insights("timeline", _of_stream(name))


def look(client: UndertoneClient, ingest: Mapping[str, Any], timeline: Mapping[str, Any]) -> StreamSnapshot:
    """Return a stream as it is now; `ingest` and `timeline` are what is known of it already."""
    name, query = str(ingest["name"]), _of_stream(str(ingest["name"]))
    latest = client.insights("top", [*query, ("order", "newest"), ("limit", str(_LATEST))])["texts"]
    topics, authors = (
        client.insights("facets", [*query, ("by", by), ("limit", str(_FACETS))])["facets"] for by in ("topic", "author")
    )
    labelled = client.texts([("source", name), ("limit", str(_LABELLED))])["texts"]
    known = [text for text in labelled if text["feedback"]]
    return StreamSnapshot(ingest, timeline, latest, known, topics, authors)


def _of_stream(name: str) -> list[tuple[str, str]]:
    return [("q", f'source:"{name}"')]


def confusion(labelled: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], int]:
    """Return how many texts of each true label got each label."""
    counts: dict[tuple[str, str], int] = {}
    for text in labelled:
        pair = str(text["feedback"][-1]["label"]), str(text["label"])
        counts[pair] = counts.get(pair, 0) + 1
    return counts


def _demo(folder: Path) -> dict[str, Any]:
    name = f"{_DEMO_NAME}.csv"
    place = folder / name
    _copy(Path(str(files("gradio_ui") / "demo" / name)), place)
    columns = {"time": "created_at", "author": "author", "topic": "topic", "id": "id", "label": "label"}
    return {"name": _DEMO_NAME, "kind": "csv", "file": name, "text_column": "text", **_columns(columns)}


def _uploaded(folder: Path, request: StreamRequest, now_s: float) -> dict[str, Any]:
    if not request.upload:
        raise InvalidInput("Choose a file first: CSV, TSV, JSON Lines or Parquet.", "file")
    path = Path(request.upload)
    kind = _KINDS.get(path.suffix.casefold())
    if kind is None:
        raise InvalidInput(f"{path.name}: a stream is CSV, TSV, JSON Lines or Parquet.", "file")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:12]
    place = folder / _UPLOADS / f"{digest}{path.suffix.casefold()}"
    _remove_old(place.parent, now_s)
    _copy(path, place)
    body = {"name": _name(request.name or path.stem), "kind": kind, "file": str(place.relative_to(folder))}
    return {**body, "text_column": request.text_column, **_columns(request.columns or {})}


def _columns(columns: Mapping[str, str]) -> dict[str, str]:
    return {f"{what}_column": columns[what] for what in _COLUMNS if columns.get(what)}


def _copy(source: Path, place: Path) -> None:
    """Copy a file whole or not at all; one that is there already may be read just now, and stays."""
    draft = place.with_name(f"{place.name}.{secrets.token_hex(4)}")
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if place.exists() and filecmp.cmp(source, place, shallow=False):
            os.utime(place)
            return
        try:
            shutil.copyfile(source, draft)
            draft.replace(place)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as exc:
        raise Unavailable(
            f"This page cannot write into the platform's folder of files ({exc.strerror}): put the file there by other "
            "means, and start it with `undertone ingest`."
        ) from exc


def _remove_old(uploads: Path, now_s: float) -> None:
    """Remove what was uploaded more than a day ago: it has been read by then, and holds texts as they were."""
    for path in uploads.glob("*"):
        if now_s - path.stat().st_mtime > _KEPT_UPLOADS_S:
            path.unlink(missing_ok=True)


def _name(typed: str) -> str:
    return _NOT_IN_NAMES.sub("-", typed.strip()).strip("-")[:40] or "stream"


def _number(typed: str) -> int:
    plain = typed.strip().replace(",", "")
    if not plain.isdecimal() or int(plain) < 1:
        raise InvalidInput(
            f"{typed!r} is not a number of texts: write a whole number from 1 up, or leave it empty.", "limit"
        )
    return int(plain)
