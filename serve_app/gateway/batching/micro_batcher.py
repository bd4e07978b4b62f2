"""Gathers texts of concurrent requests into micro-batches, so that a call between processes is paid once a batch.

There are two queues: single texts go before bulk ones, but every micro-batch keeps a share for bulk texts.
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

#: Share of a micro-batch that is kept for waiting bulk texts, however many single texts wait.
BULK_SHARE = 0.25

#: A batcher keeps its turn for items that a follower claimed for this many times the duration of its own micro-batches.
_TURN: Final = 1.5
#: That duration is the longest one, where each older micro-batch counts this much less.
_OLDER: Final = 0.9

#: A micro-batch of this many calls counts as a crowd: its callers soon send again. The next micro-batch then waits for
#: them, for this share of the time that the crowd's took.
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
    """Forms micro-batches: an idle batcher sends at once, a busy one gathers first. Belongs to one event loop."""

    process: Callable[[list[T]], Awaitable[Sequence[R | Exception] | Awaitable[Sequence[R | Exception]]]]
    """Returns a result or an exception per item, in order. What it raises becomes the exception of every item.

    If it returns an awaitable of these, the turn ends and the next micro-batch begins while the awaitable runs. At most
    `in_flight` awaitables run at once; one more keeps its turn until another has ended.
    """
    max_items: int
    """Most items of a micro-batch."""
    gather_s: float
    """Most seconds to gather, while busy or just after a crowd."""
    in_flight: int
    """Most micro-batches that have a turn at once."""
    max_queued: int
    """Most items that may wait in a queue."""
    follows: MicroBatcher[T, R] | None = None
    """The batcher that this one follows: it sends when that one sends, and gathers while that one is busy."""
    claim: Callable[[list[T]], Sequence[tuple[T, bool]]] | None = None
    """Takes items out of the followed batcher's micro-batches: returns each item, changed, and whether it is claimed.

    If a whole micro-batch is claimed, the followed batcher keeps its turn for it, so that the two do not work side by
    side on half the items each. It waits `_TURN` times the duration of its own micro-batches, at least `gather_s` and
    at most `longest_turn_s`, and not at all for a follower whose last micro-batch took longer than that.
    """
    longest_turn_s: float = 0.3
    """Most seconds that a turn is kept for a follower."""
    _followers: list[MicroBatcher[T, R]] = field(default_factory=list)
    _single: deque[_Waiting[T, R]] = field(default_factory=deque)
    _bulk: deque[_Waiting[T, R]] = field(default_factory=deque)
    _turns: dict[Turn, float] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _kept_turns: deque[Turn] = field(default_factory=deque)
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
        """Seconds that the oldest turn has taken so far; 0 without one."""
        return time.monotonic() - min(self._turns.values()) if self._turns else 0.0

    async def quiet(self) -> None:
        """Return once the batcher is idle."""
        while not self.idle:
            self._quiet.clear()
            await self._quiet.wait()

    async def submit(self, items: Sequence[T], *, bulk: bool = False) -> list[R | Exception]:
        """Return a result or an exception per item, in order.

        Raises:
            Overloaded: more than `max_queued` items would wait in the queue.
        """
        self.require_room(len(items), bulk=bulk)
        [results] = await results_of(self.enqueue(items, bulk=bulk))
        return results

    def enqueue(self, items: Sequence[T], *, bulk: bool = False) -> Ticket[R]:
        """Queue items without a check: the caller has called `require_room`, and awaited nothing since."""
        ticket: Ticket[R] = Ticket([None] * len(items), len(items), asyncio.get_running_loop().create_future())
        queue = self._bulk if bulk else self._single
        queue.extend(_Waiting(item, ticket, index, bulk) for index, item in enumerate(items))
        if items:
            self._pump()
        else:
            ticket.done.set_result(None)
        return ticket

    def require_room(self, count: int, *, bulk: bool = False) -> None:
        """Raise Overloaded if a call of `count` items would be refused now."""
        if not self.has_room(count, bulk=bulk):
            waiting = len(self._bulk if bulk else self._single)
            raise Overloaded(f"{waiting} texts are waiting already, at most {self.max_queued} may; try again soon")

    def has_room(self, count: int, *, bulk: bool = False) -> bool:
        """Whether a call of `count` items would be accepted now. An empty queue accepts a call of any size."""
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
        """Return for how many seconds to gather before the next micro-batch."""
        if self._turns or (self.follows is not None and not self.follows.idle):
            return self.gather_s
        is_over = time.monotonic() - self._crowd_ended_s > self._crowd_took_s  # its callers would have come by now
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
        """Queue the items that this batcher claims of another's micro-batch, and return the rest."""
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
        """Send what waits, as far as turns are free; return the new turns."""
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
        self._end_kept()

    def _end(self, turn: Turn) -> None:
        if self._turns.pop(turn, None) is not None:
            turn.set_result(None)
        self._pump()

    def _end_kept(self) -> None:
        """End kept turns, as many as the limit of running awaitables allows."""
        while self._kept_turns and len(self._tasks) - len(self._turns) < self.in_flight:
            self._end(self._kept_turns.popleft())

    async def _keep_turn(self, begun: list[Turn], turn_s: float, calls: int, turn: Turn) -> None:
        _, late = await asyncio.wait(begun, timeout=turn_s)
        self._record_crowd(self._turns[turn], 0 if late else calls)

    async def _run(self, batch: list[_Waiting[T, R]], turn: Turn) -> None:
        started_s, calls = self._turns[turn], _calls(batch)
        try:
            answer = await self.process([waiting.item for waiting in batch])
            self._record_duration(started_s)
            if isinstance(answer, Awaitable):
                self._record_crowd(started_s, calls)
                self._kept_turns.append(turn)
                self._end_kept()
                answer = await answer
            results = answer
        except Exception as exc:  # noqa: BLE001 - every caller of the batch gets it
            results = [exc] * len(batch)
        for waiting, result in zip(batch, results, strict=True):
            waiting.ticket.fill(waiting.index, result)
        self._record_crowd(started_s, calls)

    def _record_duration(self, started_s: float) -> None:
        """Record how long a turn took."""
        self._last_s = time.monotonic() - started_s
        self._took_s = max(self._last_s, _OLDER * self._took_s)

    def _record_crowd(self, started_s: float, calls: int) -> None:
        """Record how many callers are answered now or soon, and how long they waited."""
        self._crowd_ended_s = time.monotonic()
        self._crowd_took_s = self._crowd_ended_s - started_s if calls >= CROWD else 0.0


def _calls(batch: list[_Waiting[T, R]]) -> int:
    return len({id(waiting.ticket) for waiting in batch})


def _take_live(queue: deque[_Waiting[T, R]], count: int) -> list[_Waiting[T, R]]:
    items: list[_Waiting[T, R]] = []
    while queue and len(items) < count:
        waiting = queue.popleft()
        if not waiting.ticket.is_cancelled:
            items.append(waiting)
    return items
