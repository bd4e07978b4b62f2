"""The RolloutController deployment: it runs the reconcile loop, whose rounds are in `reconciler`.

A round reads the registry, the rollout's record and what runs, and takes one step. Nothing is kept between rounds that
cannot be read again, so that the controller may be killed at any moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import Any, Final

from ray import serve

from deployments.logs import log_with_serve
from sentiment.clock import epoch_ms
from sentiment.errors import Conflict, Unavailable, UndertoneError
from sentiment.identifiers import new_id
from sentiment.priority import rise
from sentiment.registry import Registry
from sentiment.settings import load_settings
from sentiment.store import open_store
from serve_app.rollout.cluster.gateways import gateways_of
from serve_app.rollout.cluster.placement import Capacity, local_capacity
from serve_app.rollout.cluster.target import ServeTarget
from serve_app.rollout.graph import build_reconciler
from serve_app.rollout.policy.decisions import Decision, Transition, Wait
from serve_app.rollout.rollout_store import RolloutStore

logger = logging.getLogger(__name__)

#: Pause between rounds while something is under way.
_BUSY_PAUSE_S: Final = 0.4
#: How often an idle controller looks for a new command and, when that is due, at the registry.
_LOOK_EVERY_S: Final = 1.0


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
        settings = load_settings()
        self._poll_s = settings.registry_poll_s
        store = await asyncio.to_thread(open_store, settings)
        self._reconciler = build_reconciler(
            settings=settings,
            rollout_store=RolloutStore(store, settings.model_name, holder=new_id()),
            registry=Registry.of(settings),
            target=ServeTarget(time.monotonic),
            gateways=gateways_of(serve.get_replica_context().app_name),
            capacity=local_capacity(settings),
            now_ms=epoch_ms,
            now_s=time.monotonic,
        )
        self._task = asyncio.create_task(self._run())
        rise()

    def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Set the capacity of versions that start from now on."""
        self._reconciler.capacity = Capacity.model_validate(user_config)

    def check_health(self) -> None:
        """Fail if the loop has ended, which it never should."""
        if self._task.done():
            raise RuntimeError("the reconcile loop has ended")

    def __del__(self) -> None:
        """Give the lease back when Serve ends this replica properly."""
        # Where __init__ failed or the store is away, the lease expires by itself.
        with contextlib.suppress(AttributeError, UndertoneError):
            self._reconciler.close()

    async def _run(self) -> None:
        while True:
            pause_s = _BUSY_PAUSE_S
            try:
                pause_s = self._pause_s(await self._reconciler.step())
            except asyncio.CancelledError:
                if _is_ending():
                    raise
                logger.warning("a call of this round was cancelled by the other side; the next round follows")
            except Conflict as exc:  # a command was written meanwhile
                logger.info("another writer was faster than this round, the next one decides again: %s", exc)
            except Unavailable as exc:
                logger.warning("this round of the controller failed, the next one follows: %s", exc)
                pause_s = _LOOK_EVERY_S
            except Exception:  # the loop outlives every fault of what it talks to
                logger.exception("this round of the controller failed; the next one follows")
            await self._rest(pause_s)

    async def _rest(self, pause_s: float) -> None:
        """Sleep; a new command, or a change in the registry, ends a long rest within a second."""
        rested_s = 0.0
        while rested_s < pause_s:
            nap_s = min(_LOOK_EVERY_S, pause_s - rested_s)
            await asyncio.sleep(nap_s)
            rested_s += nap_s
            if rested_s < pause_s and await self._has_news():
                return

    async def _has_news(self) -> bool:
        try:
            return await self._reconciler.has_news()
        except UndertoneError:
            return False
        except Exception:  # as above
            logger.exception("looking for a new command failed; the next round follows")
            return True

    def _pause_s(self, decision: Decision) -> float:
        if isinstance(decision, Transition):
            return 0.0  # the new state is put in force at once: a rollback must not wait
        return self._poll_s if isinstance(decision, Wait) and decision.settled else _BUSY_PAUSE_S


def _is_ending() -> bool:
    """Whether the running task itself was cancelled, and not only a call that it awaited."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
