"""A round of the reconcile loop: read the actual and the required state, decide, act. Ray is behind two protocols.

It may be killed at any moment: the next round starts from the registry, the text store and the running applications.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sentiment.errors import ModelRejected, NotFound
from sentiment.redaction import without_folders
from sentiment.registry import CHALLENGER, CHAMPION
from sentiment.settings import Settings
from serve_app.rollout.cluster.load_failures import LoadFailures
from serve_app.rollout.cluster.metrics_collector import MetricsCollector
from serve_app.rollout.cluster.placement import Capacity
from serve_app.rollout.cluster.protocols import AppView, Gateways, Target
from serve_app.rollout.cluster.registry_view import RegistryView
from serve_app.rollout.cluster.replica_floors import ReplicaFloors
from serve_app.rollout.cluster.room import has_room, lacking
from serve_app.rollout.cluster.serve_view import ServeView
from serve_app.rollout.listing import Listing
from serve_app.rollout.policy.analysis import analyse
from serve_app.rollout.policy.decisions import (
    AppState,
    BeginRollout,
    CheckVersion,
    Decision,
    NameChampion,
    ObservedState,
    PublishTable,
    RetireApplication,
    StartApplication,
    Transition,
    UnnameChallenger,
    Wait,
)
from serve_app.rollout.policy.record import Command, Entry, Rollout, State
from serve_app.rollout.policy.state_machine import after_check, next_step
from serve_app.rollout.policy.steady import decide
from serve_app.rollout.publishing import TablePublisher
from serve_app.rollout.rollout_store import LEASE_MS, RolloutStore, shares_in
from serve_app.rollout.version_routes import VersionRoutes
from serve_app.routing.traffic_table import Route, TrafficTable

logger = logging.getLogger(__name__)

#: Seconds that a round waits for Serve to report the applications; a rollback does not wait.
SERVE_PATIENCE_S: Final = 1.5
#: Seconds that a round waits for the registry; a later round takes a later answer.
REGISTRY_PATIENCE_S: Final = 0.5
#: Seconds between two questions to the gateways for their counts.
COUNT_EVERY_S: Final = 2.0


@dataclass(eq=False)
class Reconciler:
    """Runs rounds, with the objects that `build_reconciler` makes."""

    settings: Settings
    rollout_store: RolloutStore
    target: Target
    gateways: Gateways
    registry_view: RegistryView
    serve_view: ServeView
    routes: VersionRoutes
    publisher: TablePublisher
    listing: Listing
    metrics: MetricsCollector
    failures: LoadFailures
    floors: ReplicaFloors
    capacity: Capacity
    """It may be replaced between rounds."""
    now_ms: Callable[[], int]
    """The time of day."""
    now_s: Callable[[], float]
    """A steady clock."""

    def __post_init__(self) -> None:
        self._changed_s: dict[str, float] = {}
        self._count_due_s = 0.0
        self._lease_ends_ms = 0
        self._table: TrafficTable | None = None
        self._serve_answers = False
        self.decision: Decision = Wait("this controller has just started")

    async def step(self) -> Decision:
        """Run one round and return what was decided."""
        if not await self._holds_lease():
            return Wait("another controller holds the lease")
        self._table, record = await asyncio.to_thread(self.rollout_store.read)
        rollout = None if record is None or record.ended else record
        must_abort = rollout is not None and rollout.asked is Command.ABORT
        self._serve_answers = await self.serve_view.look(0.0 if must_abort else SERVE_PATIENCE_S)
        await self.registry_view.read(0.0 if must_abort else REGISTRY_PATIENCE_S)
        if rollout is not None and not must_abort:
            rollout = await self._count(rollout)
        observed = await asyncio.to_thread(self._observe, rollout)
        decision = self._decide(observed, rollout)
        if decision != self.decision:
            logger.info("%s: %s", observed, decision)
            self.decision = decision
        if self._lease_ends_ms > self.now_ms():
            await self._act(decision, rollout, observed)
            if self._serve_answers:
                await asyncio.to_thread(self.floors.apply, rollout, self.serve_view.apps, self.capacity)
        if self._serve_answers:
            await asyncio.to_thread(self.listing.write, self.registry_view.versions, observed, self.serve_view.apps)
        return decision

    async def has_news(self) -> bool:
        """Return whether the registry or the rollout's record has changed since the last round."""
        if await self.registry_view.is_new(REGISTRY_PATIENCE_S):
            return True
        return await asyncio.to_thread(self.rollout_store.is_out_of_date)

    def close(self) -> None:
        """Give the lease back, so that another controller may act at once."""
        self._lease_ends_ms = 0
        self.rollout_store.give_lease_back()

    async def _holds_lease(self) -> bool:
        now_ms = self.now_ms()
        if self._lease_ends_ms - now_ms < LEASE_MS // 2:
            ends_ms = await asyncio.to_thread(self.rollout_store.take_lease, now_ms)
            self._lease_ends_ms = 0 if ends_ms is None else ends_ms
        return self._lease_ends_ms > now_ms

    def _observe(self, rollout: Rollout | None) -> ObservedState:
        apps, table, champion = self.serve_view.apps, self._table, self.registry_view.bearer(CHAMPION)
        expected = rollout.champion if rollout else champion
        failed = expected is not None and expected in apps and apps[expected].state is AppState.FAILED
        registered = {row.version for row in self.registry_view.versions}
        healthy = rollout is None or not self._serve_answers or _runs(apps, rollout.challenger)
        behind = self.metrics.behind(table.generation) if rollout and rollout.stage and table else None
        is_late = behind is not None and self.metrics.has_answers
        split = {value: v for value, v in self.rollout_store.read_split().items() if v in registered or not registered}
        return ObservedState(
            champion=champion,
            challenger=self.registry_view.bearer(CHALLENGER),
            shares=shares_in(table),
            rollout=table.rollout if table else None,
            stage=table.stage if table else 0,
            apps={version: view.state for version, view in apps.items()},
            messages={version: view.message for version, view in apps.items()},
            no_room=self._no_room(rollout),
            lacking={} if rollout else lacking({champion, *split.values()}, table, apps, self._lack_of),
            split=split,
            failing=self.failures.update(split.values(), apps),
            table_split=dict(table.split) if table else {},
            asked_ms=self.registry_view.asked_ms,
            busy=self.registry_view.busy,
            refused=self.registry_view.refused,
            since_published_s=self._age_s("published"),
            since_failed_s=self._age_s("failed") if failed else self._reset("failed"),
            challenger_down_s=self._reset("healthy") if healthy else self._age_s("healthy"),
            behind=behind,
            followers=self.metrics.followers(table.generation) if table else 0,
            since_followed_s=self._reset("behind") if behind else self._age_s("behind"),
            since_all_followed_s=self._age_s("followed") if is_late else self._reset("followed"),
        )

    def _no_room(self, rollout: Rollout | None) -> str | None:
        if rollout is None or rollout.state is not State.WAITING or has_room(self.serve_view.apps, rollout.challenger):
            return None
        return self._lack_of(rollout.challenger)

    def _lack_of(self, version: int) -> str | None:
        return self.target.no_room(version, self._capacity(version))

    def _decide(self, observed: ObservedState, rollout: Rollout | None) -> Decision:
        if rollout is None:
            decision = decide(observed, automatic=self.settings.rollouts_automatic)
        else:
            decision = next_step(rollout, observed, analyse(rollout), self.now_ms())
        if self._serve_answers or _goes_back(decision, rollout):
            return decision
        return Wait("Ray Serve has not reported the state of the versions yet")

    async def _count(self, rollout: Rollout, *, now: bool = False) -> Rollout:
        """Return the record with the gateways' newest counts, and save it; at most once in COUNT_EVERY_S."""
        is_due = now or self.metrics.is_under_way or self.now_s() >= self._count_due_s
        if not rollout.stage or not is_due:
            return rollout
        self._count_due_s = self.now_s() + COUNT_EVERY_S
        counted = await self.metrics.add_to(rollout, last=now)
        if counted != rollout and not now:
            await asyncio.to_thread(self.rollout_store.save, counted, self.now_ms())
        return counted

    async def _act(self, decision: Decision, rollout: Rollout | None, observed: ObservedState) -> None:
        match decision:
            case StartApplication(version):
                await asyncio.to_thread(self._start, version)
            case RetireApplication(version):
                await asyncio.to_thread(self.target.retire, version)
            case PublishTable():
                await self._publish(decision, rollout)
            case NameChampion(version):
                await self._move_champion(version, rollout)
            case UnnameChallenger():
                await self.registry_view.move(CHALLENGER, None, REGISTRY_PATIENCE_S)
            case BeginRollout(version):
                champion = observed.serving or version
                await asyncio.to_thread(self.rollout_store.begin, self.settings, champion, version, self.now_ms())
            case Wait(reason) if rollout is not None and reason != rollout.waits:
                waiting = rollout.model_copy(update={"waits": reason})
                await asyncio.to_thread(self.rollout_store.save, waiting, self.now_ms())
            case CheckVersion() | Transition() if rollout is not None:
                move = await self._checked(rollout) if isinstance(decision, CheckVersion) else decision
                await self._go_back(await self._move(move, rollout), observed)

    def _start(self, version: int) -> None:
        digest = self.routes.digest(version, self._table, self.registry_view.versions)
        self.target.start(self.settings.model_name, version, digest, self._capacity(version))

    def _capacity(self, version: int) -> Capacity:
        """Return a version's capacity, with as many replicas as the traffic needs that other versions answer now."""
        replicas = max((view.replicas for other, view in self.serve_view.apps.items() if other != version), default=0)
        return self.capacity.of(version).prewarmed(replicas)

    async def _publish(self, decision: PublishTable, rollout: Rollout | None) -> None:
        publish, versions = self.publisher.publish, self.registry_view.versions
        document = await asyncio.to_thread(publish, decision, rollout, self._table, versions)
        self._reset("published")
        self._count_due_s = self.now_s()
        await self.gateways.push(document.generation, document.body)

    async def _move_champion(self, version: int, rollout: Rollout | None) -> None:
        """Move the alias `champion` to a version. For a challenger the record says so first: it may happen late."""
        if rollout is not None and version == rollout.challenger:
            naming = rollout.model_copy(update={"naming_ms": self.now_ms()})
            await asyncio.to_thread(self.rollout_store.save, naming, self.now_ms())
        await self.registry_view.move(CHAMPION, version, REGISTRY_PATIENCE_S)

    async def _checked(self, rollout: Rollout) -> Transition:
        version = rollout.challenger
        try:
            await asyncio.to_thread(self._route, version)
            numbers = await self.target.check(version)
        except (ModelRejected, NotFound) as exc:
            logger.warning("version %d is refused: %s", version, exc)
            reason = without_folders(str(exc), self.settings.home)
            return Transition(State.ABORTING, rollout.stage, f"version {version} is refused: {reason}")
        return after_check(rollout, numbers)

    async def _move(self, move: Transition, rollout: Rollout) -> Rollout:
        last = rollout
        if move.state is not State.ABORTING:  # a rollback waits for no gateway
            last = await self._count(rollout, now=True)  # gateways forget a stage's counts when the next table comes
        entry = Entry(
            at_ms=self.now_ms(), state=move.state, stage=move.stage, reason=move.reason, numbers=dict(move.numbers)
        )
        swapped = rollout.swapped if move.swapped is None else move.swapped
        moved = last.with_decision(entry, paused=move.paused, swapped=swapped)
        await asyncio.to_thread(self.rollout_store.save, moved, self.now_ms())
        if (moved.state, moved.stage) != (rollout.state, rollout.stage):  # a refused promote is no sign of health
            self._reset("healthy")
        return moved

    async def _go_back(self, rollout: Rollout, observed: ObservedState) -> None:
        """Publish the champion's table in the same round that decides to roll back, if the champion is loaded."""
        back = self._decide(observed, rollout) if rollout.state is State.ABORTING else None
        if isinstance(back, PublishTable):
            logger.info("going back: %s", back)
            await self._publish(back, rollout)

    def _route(self, version: int) -> Route:
        return self.routes.of(version, self._table, self.registry_view.versions)

    def _age_s(self, event: str) -> float:
        return self.now_s() - self._changed_s.setdefault(event, self.now_s())

    def _reset(self, event: str) -> float:
        self._changed_s[event] = self.now_s()
        return 0.0


def _goes_back(decision: Decision, rollout: Rollout | None) -> bool:
    """Whether a decision gives the champion its traffic back; that needs no fresh report of the applications."""
    if isinstance(decision, Transition):
        return decision.state is State.ABORTING
    return isinstance(decision, PublishTable) and rollout is not None and rollout.state is State.ABORTING


def _runs(apps: Mapping[int, AppView], version: int) -> bool:
    return version in apps and apps[version].state is AppState.RUNNING
