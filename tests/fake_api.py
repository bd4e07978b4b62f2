"""A platform that answers from a word list, in the API's own shapes: what the client and the page are tested against.

As a WSGI application it is called in the same process (unit tests) or served on loopback (`serving`, browser tests).
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import unquote
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from pydantic import ValidationError

from sentiment.access.keys import GRANTS, Scope
from sentiment.errors import Conflict, InvalidInput, NotFound
from sentiment.identifiers import new_id
from sentiment.labels import THREE_CLASSES, sentiment_of, verdict_of
from serve_app.gateway.http.errors import HttpError, invalid_input, status_and_body
from serve_app.gateway.http.guard import require, scope_of
from serve_app.gateway.http.schemas.rollouts import RolloutIn
from serve_app.rollout.policy.plan import steps_of
from tests.fake_rollout import ROLLOUT

GOOD = {"love", "great", "good", "wonderful", "thanks", "happy"}
BAD = {"hate", "awful", "bad", "terrible", "broken", "sad"}
LONGEST_TEXT_CHARACTERS = 50_000
_MODEL = {"name": "sentiment", "version": 7}
_PRIOR = {"negative": 0.3, "neutral": 0.4, "positive": 0.3}  # of a text with "fremd" in it, which is not supported
_LISTED = {
    **_MODEL,
    "aliases": ["champion"],
    "state": "serving",
    "problem": None,
    "weight": 1.0,
    "replicas": 2,
    "labels": list(THREE_CLASSES),
    "metrics": {"macro_recall": 0.6983, "ece": 0.03},
}
_STATUS = {
    201: "201 Created",
    204: "204 No Content",
    200: "200 OK",
    401: "401 Unauthorized",
    404: "404 Not Found",
    409: "409 Conflict",
    422: "422 Unprocessable Content",
}


class FakeApi:
    """Answers like the gateway. `failures` are (status, headers) of the next POSTs, first in, first out."""

    def __init__(self, api_key: str | None = None, scope: Scope = "admin") -> None:
        self.api_key = api_key
        self.scopes = GRANTS[scope]
        self.failures: list[tuple[int, dict[str, str]]] = []
        self.texts: dict[str, str] = {}
        self.items: dict[str, dict[str, Any]] = {}
        self.feedback: dict[str, str] = {}
        self.ingests: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, Any]] = []
        self.is_ready = True
        self.rollout: dict[str, Any] | None = None
        self.serves = _MODEL["version"]
        self.delay_s = 0.0
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        status, headers, content = self._respond(environ, body)
        kind = "application/x-ndjson" if environ["PATH_INFO"].endswith("/stream") else "application/json"
        start_response(_STATUS.get(status, f"{status} Error"), [("Content-Type", kind), *headers.items()])
        return content

    def _respond(self, environ: dict[str, Any], body: bytes) -> tuple[int, dict[str, str], list[bytes]]:
        path = environ["PATH_INFO"]
        time.sleep(self.delay_s)
        with self._lock:
            self.requests.append((path, body))
            failure = self.failures.pop(0) if self.failures and environ["REQUEST_METHOD"] == "POST" else None
        if failure:
            return failure[0], failure[1], [_error_json(f"busy {failure[0]}", "busy")]
        try:
            self._admit(environ)
        except HttpError as exc:
            return exc.status, {}, [_error_json(str(exc), exc.code)]
        return self._route(environ, body)

    def _admit(self, environ: dict[str, Any]) -> None:
        needed = scope_of(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        if self.api_key and environ.get("HTTP_AUTHORIZATION") != f"Bearer {self.api_key}":
            raise HttpError(401, "unauthorized", f"'undertone keys add NAME --scope {needed}' makes one")
        require({"scopes": self.scopes}, needed)

    def _route(self, environ: dict[str, Any], body: bytes) -> tuple[int, dict[str, str], list[bytes]]:
        path = environ["PATH_INFO"]
        answer = {
            "/v1/predict": lambda: self._predict(json.loads(body)),
            "/v1/predict/batch": lambda: {"results": [self._item(item) for item in json.loads(body)["items"]]},
            "/v1/feedback/batch": lambda: {"results": [self._feedback(word) for word in json.loads(body)["items"]]},
            "/v1/explain": lambda: self._explain(json.loads(body)["text"]),
            "/v1/models": lambda: {"models": [{**_LISTED, "version": self.serves}]},
        }
        if path == "/v1/predict/stream":
            return 200, {}, [json.dumps(self._item(json.loads(line))).encode() + b"\n" for line in body.splitlines()]
        if path == "/readyz":
            return (200 if self.is_ready else 503), {}, [b"{}"]
        if environ["REQUEST_METHOD"] == "DELETE":
            return self._delete(unquote(path.removeprefix("/v1/texts/")))
        if path.startswith("/v1/ingests"):
            return self._ingests(path.removeprefix("/v1/ingests").strip("/"), body)
        if path not in answer and not path.startswith("/v1/rollouts"):
            return 404, {}, [_error_json(f"There is no {path}.", "not_found")]
        try:
            if path not in answer:
                return self._rollouts(path, environ.get("QUERY_STRING", ""), body)
            return 200, {}, [json.dumps(answer[path]()).encode()]
        except (InvalidInput, NotFound, Conflict) as exc:
            status, problem = status_and_body(exc)
            return status, {}, [_error_json(problem["message"], problem["code"], problem["field"])]

    def _delete(self, text_id: str) -> tuple[int, dict[str, str], list[bytes]]:
        if self.texts.pop(text_id, None) is None:
            return 404, {}, [_error_json(f"there is no text {text_id!r}", "not_found")]
        return 204, {}, []

    def _ingests(self, path: str, body: bytes) -> tuple[int, dict[str, str], list[bytes]]:
        """List the ingests, begin one, or take a command."""
        name, _, command = path.partition("/")
        if command and name not in self.ingests:
            return 404, {}, [_error_json(f"there is no ingest {name!r}", "not_found", "name")]
        if not path and not body:
            return 200, {}, [json.dumps({"ingests": list(self.ingests.values())}).encode()]
        counts = dict.fromkeys(
            ("read", "kept", "folded", "repeated", "rejected", "deleted", "corrected", "without_text"), 0
        )
        began = {**json.loads(body), **counts, "by": "platform", "problem": None} if not command else self.ingests[name]
        state = {"pause": "paused", "stop": "stopped"}.get(command, "starting")
        shown = self.ingests[began["name"]] = {**began, "state": state}
        return (200 if command else 201), {}, [json.dumps(shown).encode()]

    def _rollouts(self, path: str, query: str, body: bytes) -> tuple[int, dict[str, str], list[bytes]]:
        """Begin one, say how it is, or take a command; the next look at it says that it was asked."""
        command = path.removeprefix("/v1/rollouts").removeprefix("/current").removeprefix("/")
        if path == "/v1/rollouts" and self.rollout is None:
            self.rollout = {**ROLLOUT, **_checked_start(body)}
        elif self.rollout is None:
            return 404, {}, [_error_json("There has been no rollout yet.", "not_found")]
        elif path == "/v1/rollouts":
            return 409, {}, [_error_json("Only one rollout runs at a time.", "conflict")]
        elif query and query != f"stage={self.rollout['stage']}":
            return (
                409,
                {},
                [_error_json(f"It is at stage {self.rollout['stage']}, not at {query} any more.", "conflict")],
            )
        elif command:
            self.rollout = {**self.rollout, "asked": command}
        return 200, {}, [json.dumps(self.rollout).encode()]

    def _item(self, item: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._predict(item)
        except (InvalidInput, Conflict) as exc:
            return {"error": status_and_body(exc)[1], "id": item.get("id")}

    def _predict(self, item: dict[str, Any]) -> dict[str, Any]:
        text = item["text"]
        is_read = "fremd" not in text
        probabilities = _probabilities(_checked(text)) if is_read else _PRIOR
        sentiment = sentiment_of(list(probabilities.values()), THREE_CLASSES)
        label = max(probabilities, key=lambda name: probabilities[name])
        identifier = item.get("id") or new_id()
        with self._lock:
            if self.texts.setdefault(identifier, text) != text:
                raise Conflict(f"id {identifier!r} already names another text", "id")
            self.items.setdefault(identifier, item)
        return {
            "id": identifier,
            "label": label,
            "score": probabilities[label],
            "sentiment": round(sentiment, 6),
            "verdict": verdict_of(sentiment, is_supported=is_read),
            "probabilities": probabilities,
            "model": _MODEL,
            "truncated": len(text) > 5000,
            "language": "en" if is_read else "de",
            "supported": is_read,
            "timing_ms": {"queue": 1.2, "preprocess": 0.4, "inference": 5.1, "total": 7.0},
        }

    def _feedback(self, said: dict[str, Any]) -> dict[str, Any]:
        if said["id"] not in self.texts:
            return {"error": status_and_body(NotFound(f"there is no text {said['id']!r}"))[1], "id": said["id"]}
        self.feedback[said["id"]] = said["label"]
        return {**said, "at": "2026-01-31T12:00:00Z"}

    def _explain(self, text: str) -> dict[str, Any]:
        probabilities = _probabilities(_checked(text))
        sentiment = sentiment_of(list(probabilities.values()), THREE_CLASSES)
        words = text.split()
        return {
            "words": words,
            "weights": [0.6 * (_count(word, GOOD) - _count(word, BAD)) for word in words],
            "label": max(probabilities, key=lambda name: probabilities[name]),
            "sentiment": sentiment,
            "verdict": verdict_of(sentiment),
            "probabilities": probabilities,
            "truncated": False,
            "language": "en" if "fremd" not in text else "de",
            "supported": "fremd" not in text,
            "model": _MODEL,
        }


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing: a test's output is for the test."""


@contextlib.contextmanager
def serving(api: FakeApi) -> Iterator[str]:
    """Serve on a free port of loopback and give the address."""
    with make_server("127.0.0.1", 0, api, _Server, _Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def _probabilities(text: str) -> dict[str, float]:
    good, bad = _count(text, GOOD), _count(text, BAD)
    if good == bad:
        return {"negative": 0.15, "neutral": 0.7, "positive": 0.15}
    likely = "positive" if good > bad else "negative"
    return {label: 0.93 if label == likely else 0.05 if label == "neutral" else 0.02 for label in THREE_CLASSES}


def _checked(text: Any) -> str:
    if not isinstance(text, str) or not text.strip():
        raise InvalidInput("text: should have at least 1 character", "text")
    if len(text) > LONGEST_TEXT_CHARACTERS:
        raise InvalidInput(f"text: longer than {LONGEST_TEXT_CHARACTERS} characters", "text")
    return text


def _checked_start(body: bytes) -> dict[str, Any]:
    """Return what a start changes in the record, checked as the API does it. Raises InvalidInput."""
    try:
        wanted = RolloutIn.model_validate_json(body)
    except ValidationError as exc:
        raise invalid_input(exc, RolloutIn) from None
    steps_of(wanted.plan or "100")
    asked = wanted.model_dump(exclude_none=True)
    return {"challenger": asked.pop("version"), **asked}


def _count(text: str, words: set[str]) -> int:
    return sum(word in words for word in re.findall(r"\w+", text.lower()))


def _error_json(message: str, code: str, field: str | None = None) -> bytes:
    error = {"code": code, "message": message, "field": field}
    return json.dumps({"error": error, "request_id": "fake-1"}).encode()
