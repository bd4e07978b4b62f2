"""Gathers texts of concurrent requests into micro-batches, so that a hop between processes is paid once a batch.

Two lanes: single texts go before bulk ones, of which every micro-batch still takes a share.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Generic, TypeVar

from sentiment.errors import Overloaded
from serve_app.gateway.batching.ticket import Ticket, results_of

T = TypeVar("T")
R = TypeVar("R")
#: The turn of one micro-batch: done once the next one may begin.
Turn = asyncio.Future[None]

#: Share of a micro-batch that waiting bulk texts get, however many single texts wait.
BULK_SHARE = 0.25

#: How long a batcher whose items another one claimed keeps its turn for them: so many times what its own micro-batches
#: take.
_TURN: Final = 1.5
#: What micro-batches take is the most that one of them took, each older one counting for less.
_OLDER: Final = 0.9

#: After a micro-batch of this many calls others are soon to come, and the first of them is worth a wait: this share of
#: the time that the micro-batch took.
CROWD = 2
PATIENCE = 0.25


@dataclass(eq=False, slots=True)
class _Waiting(Generic[T, R]):
    item: T
    ticket: Ticket[R]
    index: int
    bulk: bool


@dataclass(eq=False)
class MicroBatcher(Generic[T, R]):
    """Calls `process` with lists of at most `max_items`; at most `in_flight` micro-batches have a turn at once.

    An idle batcher sends at once. One that is busy, or that just answered a crowd, gathers, at most for `gather_s`.
    One that `follows` another sends when that one does, and gathers for it where it is busy. With `claim` it takes
    items out of that one's micro-batches: each item is returned as it shall go on, with whether it is claimed. Where a
    whole micro-batch was, the one that is followed keeps its turn: it waits for it as for one of its own, so that they
    do not work at the same time on fewer items each. It waits one and a half times what its own take, `gather_s` at
    least and `longest_turn_s` at most, and not at all for a follower whose last one took longer than that. Otherwise
    nobody waits for a follower.
    `process` returns a result or an exception per item, in order; what it raises itself becomes every item's exception.
    Where it returns an awaitable of these, the turn ends, and the next micro-batch begins while the rest of the work is
    done. At most `in_flight` do so at once: one more keeps its turn until another is done. Belongs to one event loop.
    """

    process: Callable[[list[T]], Awaitable[Sequence[R | Exception] | Awaitable[Sequence[R | Exception]]]]
    max_items: int
    gather_s: float
    in_flight: int
    max_queued: int
    follows: MicroBatcher[T, R] | None = None
    claim: Callable[[list[T]], Sequence[tuple[T, bool]]] | None = None
    longest_turn_s: float = 0.3
    _followers: list[MicroBatcher[T, R]] = field(default_factory=list)
    _single: deque[_Waiting[T, R]] = field(default_factory=deque)
    _bulk: deque[_Waiting[T, R]] = field(default_factory=deque)
    _turns: dict[Turn, float] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _held: deque[Turn] = field(default_factory=deque)
    _timer: asyncio.TimerHandle | None = None
    _took_s: float = 0.0
    _last_s: float = 0.0
    _crowd_took_s: float = 0.0
    _crowd_ended_s: float = 0.0
    _quiet: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        if self.follows is not None:
            self.follows._followers.append(self)

    @property
    def queued(self) -> int:
        """Items that wait for a micro-batch."""
        return len(self._single) + len(self._bulk)

    @property
    def idle(self) -> bool:
        """Whether nothing waits and no micro-batch is under way."""
        return not self._tasks and not self.queued

    @property
    def stalled_s(self) -> float:
        """How long the oldest turn has taken up to now, in seconds."""
        return time.monotonic() - min(self._turns.values()) if self._turns else 0.0

    async def quiet(self) -> None:
        """Return once the batcher is idle."""
        while not self.idle:
            self._quiet.clear()
            await self._quiet.wait()

    async def submit(self, items: Sequence[T], *, bulk: bool = False) -> list[R | Exception]:
        """Return a result or an exception per item, in order.

        Raises:
            Overloaded: more than `max_queued` items would wait in the lane.
        """
        self.require_room(len(items), bulk=bulk)
        [results] = await results_of(self.enqueue(items, bulk=bulk))
        return results

    def enqueue(self, items: Sequence[T], *, bulk: bool = False) -> Ticket[R]:
        """Take items whatever waits: `require_room` was asked before, and nothing was awaited since."""
        ticket: Ticket[R] = Ticket([None] * len(items), len(items), asyncio.get_running_loop().create_future())
        lane = self._bulk if bulk else self._single
        lane.extend(_Waiting(item, ticket, index, bulk) for index, item in enumerate(items))
        if items:
            self._pump()
        else:
            ticket.done.set_result(None)
        return ticket

    def require_room(self, count: int, *, bulk: bool = False) -> None:
        """Raise Overloaded where a call of `count` items would be refused now."""
        if not self.has_room(count, bulk=bulk):
            waiting = len(self._bulk if bulk else self._single)
            raise Overloaded(f"{waiting} texts are waiting already, the most is {self.max_queued}; try again soon")

    def has_room(self, count: int, *, bulk: bool = False) -> bool:
        """Whether a call of `count` items would be taken now.

        One larger than a whole lane is let into an empty one: it could never be answered otherwise.
        """
        waiting = len(self._bulk if bulk else self._single)
        return not (count and waiting and waiting + count > self.max_queued)

    def _pump(self, *, gathered: bool = False) -> None:
        while self.queued and len(self._turns) < self.in_flight:
            wait_s = 0.0 if gathered or self.queued >= self.max_items else self._wait_s()
            if wait_s:
                self._gather(wait_s)
                return
            self._send(self._take())
        if self.idle:
            self._quiet.set()

    def _gather(self, wait_s: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._gathered)

    def _wait_s(self) -> float:
        """Return how long to gather texts before the next micro-batch."""
        if self._turns or (self.follows is not None and not self.follows.idle):
            return self.gather_s
        is_over = time.monotonic() - self._crowd_ended_s > self._crowd_took_s  # who was there does not come back
        return 0.0 if is_over else min(self.gather_s, PATIENCE * self._crowd_took_s)

    def _gathered(self) -> None:
        self._timer = None
        self._pump(gathered=True)

    def _take(self) -> list[_Waiting[T, R]]:
        reserved = min(len(self._bulk), int(self.max_items * BULK_SHARE))
        batch = _take_live(self._single, self.max_items - reserved)
        return batch + _take_live(self._bulk, self.max_items - len(batch))

    def _send(self, batch: list[_Waiting[T, R]]) -> None:
        if not batch:
            return
        own = batch
        for follower in self._followers:
            own = follower._claim_from(own)
        if own:
            self._start(partial(self._run, own))
        begun = [turn for follower in self._followers for turn in follower._send_along()]
        turn_s = min(max(_TURN * self._took_s, self.gather_s), self.longest_turn_s)
        if begun and not own and all(follower._last_s <= turn_s for follower in self._followers):
            self._start(partial(self._keep_turn, begun, turn_s, _calls(batch)))

    def _claim_from(self, batch: list[_Waiting[T, R]]) -> list[_Waiting[T, R]]:
        """Queue what this batcher claims of another's micro-batch, and return the rest."""
        if self.claim is None:
            return batch
        try:
            answers = self.claim([waiting.item for waiting in batch])
        except Exception as exc:  # noqa: BLE001 - every caller of the batch gets it
            for waiting in batch:
                waiting.ticket.fill(waiting.index, exc)
            return []
        rest = []
        for waiting, (item, is_claimed) in zip(batch, answers, strict=True):
            waiting.item = item
            if not is_claimed:
                rest.append(waiting)
            elif waiting.bulk:
                self._bulk.append(waiting)
            else:
                self._single.append(waiting)
        return rest

    def _send_along(self) -> list[Turn]:
        """Send what waits, as far as it may be; return the turns."""
        before = set(self._turns)
        self._pump(gathered=True)
        return [turn for turn in self._turns if turn not in before]

    def _start(self, work: Callable[[Turn], Coroutine[Any, Any, None]]) -> None:
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._turns[turn] = time.monotonic()
        task = loop.create_task(work(turn))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._finished(done, turn))

    def _finished(self, task: asyncio.Task[None], turn: Turn) -> None:
        self._tasks.discard(task)
        self._end(turn)
        self._end_held()

    def _end(self, turn: Turn) -> None:
        if self._turns.pop(turn, None) is not None:
            turn.set_result(None)
        self._pump()

    def _end_held(self) -> None:
        """End as many of the turns whose micro-batches wait for the end of others as may be."""
        while self._held and len(self._tasks) - len(self._turns) < self.in_flight:
            self._end(self._held.popleft())

    async def _keep_turn(self, begun: list[Turn], turn_s: float, calls: int, turn: Turn) -> None:
        _, late = await asyncio.wait(begun, timeout=turn_s)
        self._note_crowd(self._turns[turn], 0 if late else calls)

    async def _run(self, batch: list[_Waiting[T, R]], turn: Turn) -> None:
        started_s, calls = self._turns[turn], _calls(batch)
        try:
            found = await self.process([waiting.item for waiting in batch])
            self._note_time(started_s)
            if isinstance(found, Awaitable):
                self._note_crowd(started_s, calls)
                self._held.append(turn)
                self._end_held()
                found = await found
            results = found
        except Exception as exc:  # noqa: BLE001 - every caller of the batch gets it
            results = [exc] * len(batch)
        for waiting, result in zip(batch, results, strict=True):
            waiting.ticket.fill(waiting.index, result)
        self._note_crowd(started_s, calls)

    def _note_time(self, started_s: float) -> None:
        """Note how long a turn took."""
        self._last_s = time.monotonic() - started_s
        self._took_s = max(self._last_s, _OLDER * self._took_s)

    def _note_crowd(self, started_s: float, calls: int) -> None:
        """Note how many callers are answered now, or soon, and how long they had to wait."""
        self._crowd_ended_s = time.monotonic()
        self._crowd_took_s = self._crowd_ended_s - started_s if calls >= CROWD else 0.0


def _calls(batch: list[_Waiting[T, R]]) -> int:
    return len({id(waiting.ticket) for waiting in batch})


def _take_live(lane: deque[_Waiting[T, R]], count: int) -> list[_Waiting[T, R]]:
    taken: list[_Waiting[T, R]] = []
    while lane and len(taken) < count:
        waiting = lane.popleft()
        if not waiting.ticket.given_up:
            taken.append(waiting)
    return taken
