"""A client of the HTTP API: one method a route, retries while the platform is busy or restarts, the project's errors.

Every text is sent with an id, made here if the caller gives none. A repeated request is therefore a retry and never
adds a second text.
"""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Self, cast
from urllib.parse import quote, urlencode, urlsplit

import httpx

from sentiment.client.answers import Answer, ExplainedAnswer, FeedbackItem, Item, Result
from sentiment.client.responses import decoded, raise_for, retry_after_s
from sentiment.errors import (
    DeadlineExceeded,
    InvalidInput,
    Unavailable,
)
from sentiment.identifiers import new_id
from sentiment.settings import LOOPBACK, Settings

EXAMPLE_URL: Final = "http://127.0.0.1:8000"
#: Lines of one stream request. HTTP/1.1 clients read once they have sent everything, so the answers of one request must
#: fit into the sockets' buffers (128 KiB and more), or both sides would wait for the other.
STREAM_WINDOW: Final = 200
_ATTEMPTS: Final = 6
_LONGEST_WAIT_S: Final = 30.0


def url_of(settings: Settings) -> str:
    """Return the address at which this machine reaches the API of these settings."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


class UndertoneClient:
    """A thread-safe client of one platform. Close it, or use it as a context manager.

    It tries again after 429, 503 and broken connections: up to `attempts` times, after the time that Retry-After names.
    Every method raises errors of `sentiment.errors` with the server's message; Unavailable, Overloaded and
    DeadlineExceeded mean that trying later may help.
    """

    def __init__(
        self,
        url: str = EXAMPLE_URL,
        api_key: str | None = None,
        timeout_s: float = 30.0,
        attempts: int = _ATTEMPTS,
        sleep: Callable[[float], None] = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        host = _host_of(url)
        headers = {"Authorization": f"Bearer {_checked_key(api_key)}"} if api_key else {}
        # A proxy of the environment cannot reach this machine's own loopback.
        trust_env = host not in LOOPBACK
        self._http = httpx.Client(
            base_url=url, headers=headers, timeout=timeout_s, trust_env=trust_env, transport=transport
        )
        self.url, self._attempts, self._sleep = url, attempts, sleep

    def predict(self, text: str, **fields: Any) -> Answer:
        """Classify and store one text; `fields` are the other fields of `Item`."""
        return cast("Answer", self._send("POST", "/v1/predict", _item({"text": text, **fields})))

    def predict_batch(self, items: Sequence[str | Item]) -> list[Result]:
        """Classify and store up to 1,000 texts; an invalid one has an `error` in place of its answer."""
        body = {"items": [_item(item) for item in items]}
        return cast("list[Result]", self._send("POST", "/v1/predict/batch", body)["results"])

    def predict_stream(self, items: Iterable[str | Item]) -> Iterator[Result]:
        """Classify and store any number of texts in constant memory; results come in the order of `items`."""
        named = (_item(item) for item in items)
        while window := list(itertools.islice(named, STREAM_WINDOW)):
            yield from self._stream(window)

    def add_feedback(self, words: Sequence[FeedbackItem]) -> list[Result]:
        """Say what the labels of up to 1,000 kept texts truly are; a bad word has an `error` in its place."""
        body = {"items": list(words)}
        return cast("list[Result]", self._send("POST", "/v1/feedback/batch", body)["results"])

    def explain(self, text: str) -> ExplainedAnswer:
        """Return the answer for a text and the words that moved it. The text is not stored."""
        return cast("ExplainedAnswer", self._send("POST", "/v1/explain", {"text": text}))

    def delete_text(self, text_id: str) -> None:
        """Forget a kept text; needs admin. Raises NotFound."""
        self._send("DELETE", f"/v1/texts/{quote(text_id, safe='')}")

    def texts(self, parameters: Sequence[tuple[str, str]]) -> dict[str, Any]:
        """Return a page of texts as they are kept, newest first: `texts`, and `next`, which goes on as `after`."""
        return self._send("GET", f"/v1/texts?{urlencode(parameters)}")

    def start_ingest(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Have the platform carry out an ingest; the fields are those of `undertone ingest`."""
        return self._send("POST", "/v1/ingests", request)

    def ingests(self) -> list[dict[str, Any]]:
        """Return the ingests, by name."""
        return cast("list[dict[str, Any]]", self._send("GET", "/v1/ingests")["ingests"])

    def command_ingest(self, name: str, command: str) -> dict[str, Any]:
        """Let an ingest `start`, `pause` or `stop`; returns it as it is then. Raises NotFound."""
        return self._send("POST", f"/v1/ingests/{quote(name, safe='')}/{command}", {})

    def models(self) -> list[dict[str, Any]]:
        """Return the registered versions, oldest first: name, version, aliases, state, problem, weight, replicas."""
        return cast("list[dict[str, Any]]", self._send("GET", "/v1/models")["models"])

    def start_rollout(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Start the rollout of a version (`version`, `plan`, `hold_s`, `auto`, `sticky`, `in_place`); needs admin."""
        return self._send("POST", "/v1/rollouts", request)

    def rollout(self) -> dict[str, Any]:
        """Return the rollout under way, or the last one. Raises NotFound before the first."""
        return self._send("GET", "/v1/rollouts/current")

    def rollouts(self, limit: int = 20) -> list[dict[str, Any]]:
        """Return up to `limit` rollouts, the newest first."""
        rollouts: list[dict[str, Any]] = []
        after = ""
        while len(rollouts) < limit:
            page = self._send("GET", f"/v1/rollouts?limit={min(100, limit - len(rollouts))}{after}")
            rollouts += page["rollouts"]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        return rollouts

    def command_rollout(self, command: str, stage: int | None = None) -> dict[str, Any]:
        """Send the running rollout a command (`pause`, `resume`, `promote`, `abort`) and return its new state.

        With `stage`, the command raises Conflict if another stage is running. A promote always names a stage, by
        default the one that runs now: a retry after a lost answer then cannot promote a second time.
        """
        if stage is None and command == "promote":
            stage = self.rollout()["stage"]
        query = "" if stage is None else f"?stage={stage}"
        return self._send("POST", f"/v1/rollouts/current/{command}{query}", {})

    def insights(self, question: str, parameters: Sequence[tuple[str, str]]) -> dict[str, Any]:
        """Ask `timeline`, `compare`, `related`, `top` or `complete` of many texts at once; see docs/insight.md."""
        return self._send("GET", f"/v1/insights/{question}?{urlencode(parameters)}")

    def ready(self) -> bool:
        """Return whether the platform can answer predictions now, without retries."""
        try:
            return self._http.get("/readyz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        content = None if body is None else _json(body)
        for attempt in itertools.count(1):
            try:
                response = _unless_busy(self._http.request(method, path, content=content, headers=_JSON))
            except (httpx.TransportError, _Busy) as exc:
                self._pause(attempt, exc)
            else:
                raise_for(response)
                return cast("dict[str, Any]", decoded(response.content)) if response.content else {}
        raise AssertionError("unreachable: _pause raises at the last attempt")

    def _stream(self, window: list[Item]) -> Iterator[Result]:
        answered, attempt = 0, 0
        while answered < len(window):
            try:
                for result in self._stream_once(window[answered:]):
                    answered, attempt = answered + 1, 0
                    yield result
                if answered < len(window):
                    raise httpx.RemoteProtocolError(f"the stream ended after {answered} of {len(window)} lines")
            except (httpx.TransportError, _Busy) as exc:
                attempt += 1
                self._pause(attempt, exc)

    def _stream_once(self, items: list[Item]) -> Iterator[Result]:
        content = b"".join(_json(item) + b"\n" for item in items)
        headers = {"Content-Type": "application/x-ndjson"}
        with self._http.stream("POST", "/v1/predict/stream", content=content, headers=headers) as response:
            if response.is_error:
                response.read()
                raise_for(_unless_busy(response))
            yield from (cast("Result", decoded(line)) for line in response.iter_lines() if line)

    def _pause(self, attempt: int, exc: Exception) -> None:
        """Wait before the next attempt; raise instead if it was the last one or waiting cannot help."""
        if isinstance(exc, httpx.TimeoutException) and not isinstance(exc, httpx.ConnectTimeout):
            raise DeadlineExceeded(f"{self.url} did not answer within the time limit; try again later.") from exc
        busy = exc.response if isinstance(exc, _Busy) else None
        if attempt >= self._attempts:
            self._give_up(busy, exc)
        wanted_s = 0.0 if busy is None else retry_after_s(busy)
        self._sleep(min(max(wanted_s, 0.2 * 2 ** (attempt - 1)), _LONGEST_WAIT_S))

    def _give_up(self, busy: httpx.Response | None, exc: Exception) -> None:
        if busy is not None:
            raise_for(busy)
        remedy = "Start it with `undertone up`, or give another address: --url."
        raise Unavailable(f"Nothing answers at {self.url} ({exc}). {remedy}") from exc


class _Busy(Exception):
    """The platform is busy or restarting, and a retry may help; never leaves this module."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(response)
        self.response = response


_JSON: Final = {"Content-Type": "application/json"}
_BUSY: Final = (429, 503)


def _item(item: str | Mapping[str, Any]) -> Item:
    fields = {"text": item} if isinstance(item, str) else dict(item)
    return cast("Item", {"id": new_id(), **fields})


def _json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body).encode("ascii")  # ASCII: a lone surrogate in a text must reach the server as an escape


def _checked_key(key: str) -> str:
    if not re.fullmatch(r"[!-~]+", key.strip()):
        raise InvalidInput("the API key contains spaces or characters that no key has; copy it again", "api_key")
    return key.strip()


def _host_of(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInput(f"{url!r} is not an address like {EXAMPLE_URL}.", "url")
    return parts.hostname


def _unless_busy(response: httpx.Response) -> httpx.Response:
    if response.status_code in _BUSY:
        raise _Busy(response)
    return response
