"""Starts, watches, checks and ends the applications of model versions on Ray Serve."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any, Final

from ray import serve
from ray.exceptions import GetTimeoutError, RayTaskError
from ray.serve import RunTarget
from ray.serve.schema import ApplicationStatus

from deployments.classifier import classifier_app
from sentiment.errors import UndertoneError
from serve_app.rollout.cluster.placement import Capacity, Memory, MemoryGauge, lack_of, lack_of_memory
from serve_app.rollout.cluster.protocols import APP_PREFIX, AppView, app_name
from serve_app.rollout.cluster.serve_internals import application_statuses, available_resources, keep_replicas
from serve_app.rollout.policy.decisions import AppState

_DEPLOYMENT: Final = "Classifier"
_STATES: Final = {
    ApplicationStatus.RUNNING: AppState.RUNNING,
    ApplicationStatus.DEPLOY_FAILED: AppState.FAILED,
    ApplicationStatus.UNHEALTHY: AppState.RUNNING,  # it serves, and Serve is replacing a replica
    ApplicationStatus.DELETING: AppState.STOPPING,
}
_LONGEST_MESSAGE: Final = 400
_CHECK_S: Final = 20.0
#: A status is used for this long, since each one costs Serve much (docs/experiments/2026-11-23-takeovers.md).
_FRESH_S: Final = 1.0


class ServeTarget:
    """The applications of model versions on this Ray cluster. Its methods block: call them off the event loop.

    `now_s` is a steady clock.
    """

    def __init__(self, now_s: Callable[[], float], memory: Callable[[], Memory] | None = None) -> None:
        self._now_s, self._memory = now_s, memory or MemoryGauge(now_s).read
        self._apps: dict[int, AppView] = {}
        self._changed: set[int] = set()
        self._read_s: float | None = None

    def apps(self) -> dict[int, AppView]:
        """Return the application of each version, up to a second old unless one was started or ended since."""
        now_s = self._now_s()
        if self._read_s is None or now_s - self._read_s > _FRESH_S:
            self._apps, self._read_s = self._look(), now_s
        return self._apps

    def _look(self) -> dict[int, AppView]:
        return {
            version: view_of(overview, was_up=version in self._changed)
            for name, overview in application_statuses().items()
            if name.startswith(APP_PREFIX)
            for version in (int(name.removeprefix(APP_PREFIX)),)
        }

    def start(self, model: str, version: int, digest: str, capacity: Capacity) -> None:
        """Start a version's application, without a route of its own, and return at once."""
        application = classifier_app(model, version, digest, **capacity.resources())
        target = RunTarget(target=application, name=app_name(version), route_prefix=None)
        self._read_s = None
        self._changed.discard(version)
        serve.run_many([target], wait_for_ingress_deployment_creation=False, wait_for_applications_running=False)

    def retire(self, version: int) -> None:
        """End a version's application and return at once; its replicas finish their requests first."""
        self._read_s = None
        serve.delete(app_name(version), _blocking=False)

    def keep_replicas(self, version: int, least: int) -> None:
        """Set the least number of replicas of a version that runs and scales."""
        is_changed = version in self._changed
        self._changed.add(version)  # before the call: Serve may report the version as deploying before it returns
        try:
            is_changed |= keep_replicas(app_name(version), _DEPLOYMENT, least)
        except GetTimeoutError:
            is_changed = True  # Serve may still carry it out
            raise
        finally:
            if not is_changed:
                self._changed.discard(version)

    def no_room(self, version: int, capacity: Capacity) -> str | None:
        """Return, as a sentence, which resources a version of this capacity lacks; None if none."""
        nodes = available_resources()
        lack = lack_of(version, capacity, nodes)
        if lack or len(nodes) != 1:  # the memory of other nodes is not known here
            return lack
        return lack_of_memory(version, capacity, self._memory())

    async def check(self, version: int) -> dict[str, float]:
        """Run a version's self-check; return its numbers.

        Raises:
            ModelRejected: its answers differ from those in its manifest.
            TimeoutError: it does not answer.
        """
        handle = serve.get_deployment_handle(_DEPLOYMENT, app_name(version), _check_exists=False)
        try:
            async with asyncio.timeout(_CHECK_S):
                numbers: dict[str, float] = await handle.check.remote()
        except RayTaskError as exc:
            if isinstance(exc.cause, UndertoneError):
                raise exc.cause from None
            raise
        return numbers


def view_of(overview: Any, *, was_up: bool = False) -> AppView:
    """Return an application's state, from Serve's status of it.

    After its bounds were changed, Serve reports an application as deploying. If it `was_up` before, it counts as
    running while it has a replica.
    """
    state = _STATES.get(overview.status, AppState.LOADING)
    deployment = overview.deployments.get(_DEPLOYMENT)
    replicas = deployment.replica_states.get("RUNNING", 0) if deployment else 0
    if state is AppState.RUNNING and not replicas:
        state = AppState.DOWN
    if was_up and replicas and state in (AppState.LOADING, AppState.FAILED):
        state = AppState.RUNNING
    message = reason_in(deployment.message if deployment else "") or reason_in(overview.message)
    return AppView(state, message, replicas)


def reason_in(message: str) -> str:
    """Return the cause in a message of Serve's: of a traceback the last error, without its type."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Rejected|NotFound|Unavailable)\b.*: ", line)]
    last = (errors or lines or [""])[-1]
    return re.sub(r"^[\w.()]+: ", "", last)[:_LONGEST_MESSAGE]
