"""The RolloutController deployment: a reconcile loop that makes the registry's champion the version that answers.

Each round it reads the registry and what runs, takes one step, and forgets: killed at any moment, it starts again from
what it reads.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from ray import serve

from deployments.logs import log_with_serve
from sentiment.errors import UndertoneError
from sentiment.registry import RegisteredVersion, Registry, champion_of, fetch_version
from sentiment.settings import load_settings
from sentiment.store import open_store
from sentiment.version import read_version
from serve_app.backend import MODELS_KIND
from serve_app.rollout.capacity import Capacity, local_capacity
from serve_app.rollout.policy import AppState, Decision, Observed, Publish, Retire, Start, Wait, decide
from serve_app.rollout.target import ServeTarget, app_name
from serve_app.traffic import KIND, Route, TrafficTable, from_body, to_body

logger = logging.getLogger(__name__)

#: The registry is read every so many rounds.
_LIST_EVERY_ROUNDS = 2
#: The pause between rounds while something is under way.
_UNSETTLED_S = 0.5


@serve.deployment(
    name="RolloutController",
    num_replicas=1,
    graceful_shutdown_timeout_s=5,
    ray_actor_options={"num_cpus": 0},
)
class RolloutController:
    """Runs the loop. `user_config` may give the capacity of model versions (`Capacity`)."""

    async def __init__(self) -> None:  # type: ignore[misc]  # Serve awaits it
        log_with_serve()
        self._settings = load_settings()
        self._registry = Registry(self._settings.registry_uri)
        self._store = await asyncio.to_thread(open_store, self._settings)
        self._target = ServeTarget()
        self._capacity = local_capacity(self._settings)
        self._app_name = serve.get_replica_context().app_name
        self._versions: list[RegisteredVersion] = []
        self._listed: list[dict[str, Any]] = []
        self._changed_at: dict[str, float] = {}
        self._round = 0
        self._decision: Decision | None = None
        self._task = asyncio.create_task(self._run())

    def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Take the capacity of versions that start from now on."""
        self._capacity = Capacity.model_validate(user_config)

    def check_health(self) -> None:
        """Fail when the loop has ended, which it never should."""
        if self._task.done():
            raise RuntimeError("the reconcile loop has ended")

    async def _run(self) -> None:
        while True:
            try:
                await self._step()
            except Exception:  # the loop outlives every fault of what it talks to
                logger.exception("this round of the controller failed; the next one follows")
            self._round += 1
            settled = isinstance(self._decision, Wait) and self._decision.settled
            await asyncio.sleep(self._settings.registry_poll_s if settled else _UNSETTLED_S)

    async def _step(self) -> None:
        await self._read_registry()
        observed = await asyncio.to_thread(self._observe)
        decision = decide(observed)
        if decision != self._decision:
            logger.info("%s: %s", observed, decision)
            self._decision = decision
        await self._act(decision)
        await asyncio.to_thread(self._list_models, observed)

    async def _read_registry(self) -> None:
        if self._versions and self._round % _LIST_EVERY_ROUNDS:
            return
        try:
            self._versions = await asyncio.to_thread(self._registry.versions, self._settings.model_name)
        except UndertoneError as exc:
            logger.warning("the registry does not answer, what serves stays: %s", exc)

    def _observe(self) -> Observed:
        apps = self._target.apps()
        champion = champion_of(self._versions)
        wanted = None if champion is None else champion.version
        failed = wanted is not None and apps.get(wanted) is AppState.FAILED
        return Observed(
            champion=wanted,
            serving=self._serving(),
            apps=apps,
            since_published_s=self._age("published"),
            since_failed_s=self._age("failed") if failed else self._reset("failed"),
        )

    async def _act(self, decision: Decision) -> None:
        match decision:
            case Start(version):
                digest = await asyncio.to_thread(self._digest, version)
                arguments = (self._settings.model_name, version, digest, self._capacity)
                await asyncio.to_thread(self._target.start, *arguments)
            case Publish(version):
                await self._publish(version)
            case Retire(version):
                await asyncio.to_thread(self._target.retire, version)

    async def _publish(self, version: int) -> None:
        route = await asyncio.to_thread(self._route, version)
        document = await asyncio.to_thread(
            self._store.put_document, KIND, self._settings.model_name, to_body((route,)), None
        )
        self._reset("published")
        gateways = serve.get_deployment_handle("Gateway", self._app_name)
        try:  # gateways that are not up yet, or miss the push, read the row themselves
            await gateways.broadcast("update_traffic", document.generation, document.body).results_async(timeout_s=5)
        except Exception as exc:  # noqa: BLE001 - whatever it was, the row in the store is the truth
            logger.info("the push of table %d reached not all gateways: %s", document.generation, exc)

    def _route(self, version: int) -> Route:
        model, digest = self._settings.model_name, self._digest(version)
        manifest = read_version(fetch_version(self._settings, model, version, digest)).manifest
        labels = tuple(manifest.labels)
        return Route(model, version, app_name(version), digest, labels, manifest.normalizer, weight=1.0)

    def _digest(self, version: int) -> str:
        """Return a version's digest: the registry's word, or the traffic table's while the registry is away."""
        digests = {registered.version: registered.digest for registered in self._versions}
        table = self._table()
        return digests.get(version) or next(r.digest for r in (table.routes if table else ()) if r.version == version)

    def _table(self) -> TrafficTable | None:
        document = self._store.get_document(KIND, self._settings.model_name)
        return from_body(document.generation, document.body) if document else None

    def _serving(self) -> int | None:
        table = self._table()
        return table.routes[0].version if table else None

    def _list_models(self, observed: Observed) -> None:
        """Write the versions and what each does where the gateways read it."""
        listed = [_listed(version, observed) for version in self._versions]
        if listed and listed != self._listed:
            self._store.put_document(MODELS_KIND, self._settings.model_name, {"models": listed}, None)
            self._listed = listed

    def _age(self, event: str) -> float:
        return time.monotonic() - self._changed_at.setdefault(event, time.monotonic())

    def _reset(self, event: str) -> float:
        self._changed_at[event] = time.monotonic()
        return 0.0


def _listed(version: RegisteredVersion, observed: Observed) -> dict[str, Any]:
    serves = observed.serving == version.version
    loaded = {AppState.RUNNING: "loaded", AppState.LOADING: "loading", AppState.FAILED: "failed"}
    state = loaded.get(observed.apps.get(version.version), "registered")  # type: ignore[arg-type]
    return {
        "name": version.name,
        "version": version.version,
        "aliases": sorted(version.aliases),
        "state": "serving" if serves and state == "loaded" else state,
        "weight": 1.0 if serves else 0.0,
        "labels": list(version.labels),
    }
