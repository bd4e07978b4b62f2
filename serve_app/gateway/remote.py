"""Calls to the parts behind the gateway, as Ray Serve deployments. A call that a dying replica drops is sent again."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from ray import serve
from ray.exceptions import RayTaskError
from ray.serve.exceptions import BackPressureError
from ray.serve.handle import DeploymentHandle, DeploymentResponse

from sentiment.errors import Overloaded, Unavailable, UndertoneError
from sentiment.insight.values import IdPage
from sentiment.records import Answers, CleanText, Explanation, Operation, Outcome, RawText
from serve_app.insight.search import InsightAnswer, Question, Search
from serve_app.routing.traffic_table import Route

logger = logging.getLogger(__name__)

_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 1.0


class RemoteParts:
    """Handles of the Preprocessor, the Sink and the classifiers' applications.

    All calls are safe to repeat, since writes are keyed by id. A call is sent again for at most `patience_s` seconds.
    """

    def __init__(self, preprocessor: DeploymentHandle, sink: DeploymentHandle, patience_s: float) -> None:
        self._preprocessor = preprocessor
        self._sink = sink
        self._patience_s = patience_s
        self._classifiers: dict[str, DeploymentHandle] = {}

    async def clean(self, texts: list[RawText], normalizer: str) -> list[CleanText]:
        """See `Parts.clean`."""
        cleaned: list[CleanText] = await self._call(
            "preprocessor", lambda: self._preprocessor.process.remote(texts, normalizer)
        )
        return cleaned

    async def classify(self, route: Route, texts: list[str]) -> Answers:
        """See `Parts.classify`."""
        handle = self._classifier(route)
        answers: Answers = await self._call("classifier", lambda: handle.classify.remote(texts))
        return answers

    async def explain(self, route: Route, text: str) -> Explanation:
        """See `Parts.explain`."""
        handle = self._classifier(route)
        explanation: Explanation = await self._call("classifier", lambda: handle.explain.remote(text))
        return explanation

    async def write(self, operations: list[Operation]) -> list[Outcome]:
        """See `Parts.write`."""
        outcomes: list[Outcome] = await self._call("sink", lambda: self._sink.write.remote(operations))
        return outcomes

    async def sink_state(self) -> dict[str, Any]:
        """Return the state of one sink: pending operations, lag, whether the store answers."""
        state: dict[str, Any] = await self._call("sink", self._sink.state.remote)
        return state

    def _classifier(self, route: Route) -> DeploymentHandle:
        if route.app not in self._classifiers:
            self._classifiers[route.app] = _handle("Classifier", route.app)
        return self._classifiers[route.app]

    async def _call(self, part: str, send: Callable[[], DeploymentResponse[Any]]) -> Any:
        return await _call(part, send, self._patience_s)


class RemoteIndex:
    """A handle of the Insight deployment; `patience_s` bounds how long an answer is waited for."""

    def __init__(self, insight: DeploymentHandle, patience_s: float) -> None:
        self._insight = insight
        self._patience_s = patience_s

    async def answer(self, question: Question, search: Search) -> InsightAnswer:
        """See `IndexQueries.answer`."""
        answer: InsightAnswer = await self._ask(partial(self._insight.answer.remote, question, search))
        return answer

    async def top(self, search: Search) -> IdPage:
        """See `IndexQueries.top`."""
        page: IdPage = await self._ask(partial(self._insight.top.remote, search))
        return page

    async def why(self, search: Search) -> dict[str, Any]:
        """See `IndexQueries.why`."""
        told: dict[str, Any] = await self._ask(partial(self._insight.why.remote, search))
        return told

    async def _ask(self, send: Callable[[], DeploymentResponse[Any]]) -> Any:
        try:
            async with asyncio.timeout(self._patience_s):  # while there is no replica, the call itself waits for one
                return await _call("insight index", send, self._patience_s)
        except TimeoutError:
            raise Unavailable("the insight index does not answer; if it is starting again, try in a moment") from None


async def _call(part: str, send: Callable[[], DeploymentResponse[Any]], patience_s: float) -> Any:
    give_up, pause = time.monotonic() + patience_s, _FIRST_PAUSE_S
    while True:
        try:
            return await send()
        except Exception as exc:
            error = _own_error(exc, part)
            if error is not None:
                raise error from None
            logger.warning("%s did not answer (%s), sending again", part, type(exc).__name__)
            if time.monotonic() + pause > give_up:
                raise Unavailable(f"no {part} answered within {patience_s:.0f} s; try again") from exc
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_S)


def _handle(deployment: str, app_name: str) -> DeploymentHandle:
    # Unchecked, since the check would block the event loop; a call shows as well whether it exists.
    return serve.get_deployment_handle(deployment, app_name, _check_exists=False)


def _own_error(exc: Exception, part: str) -> UndertoneError | None:
    """Return the error that ends the call, or None where a replica was lost and the call may be sent again."""
    cause = exc.cause if isinstance(exc, RayTaskError) else exc
    if isinstance(cause, UndertoneError):
        return cause
    if isinstance(exc, BackPressureError):
        return Overloaded(f"the {part} has too much work; try again soon")
    if isinstance(exc, RayTaskError):
        logger.error("%s failed", part, exc_info=exc)
        return Unavailable(f"the {part} failed; see its log for the reason")
    return None
