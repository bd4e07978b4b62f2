"""Keeps a gateway's traffic table: adopts a newer one once every version in it has answered this gateway."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from sentiment.errors import Unavailable, UndertoneError
from sentiment.records import Document
from serve_app.routing.traffic_table import Route, TrafficTable, from_body

logger = logging.getLogger(__name__)

#: How often the store is asked for a newer table.
POLL_S = 1.0
#: How long a version may take to answer a gateway for the first time.
PATIENCE_S = 15.0


@dataclass(eq=False)
class TrafficWatch:
    """`read` returns the table's row of the store, `open_route` makes a version answer once through this gateway.

    A first request over a handle never used before waits for seconds, so that none is sent before `open_route` is done.
    One that is not done within `patience_s` is given up until the next look at the store: another table may be there.
    """

    read: Callable[[], Document | None]
    open_route: Callable[[Route], Awaitable[object]]
    table: TrafficTable | None = None
    patience_s: float = PATIENCE_S

    def __post_init__(self) -> None:
        self._opened: set[str] = set()
        self._opening: dict[str, asyncio.Task[None]] = {}
        self._adopting = asyncio.Lock()

    @property
    def generation(self) -> int:
        """The generation of the table in force, 0 before the first; one less while a part of it is not in force."""
        return self.table.generation if self.table else 0

    async def first(self) -> None:
        """Return once a table is in force."""
        while True:
            if await self.refresh():
                return
            await asyncio.sleep(POLL_S / 4)

    async def follow(self) -> None:
        """Keep the table fresh for ever; while the store is away the last one stays in force."""
        while True:
            await asyncio.sleep(POLL_S)
            await self.refresh()

    async def refresh(self) -> bool:
        """Read the store's table and adopt it if it is newer; return whether one is in force."""
        try:
            document = await asyncio.to_thread(self.read)
            if document is not None:
                await self.adopt(from_body(document.generation, document.body))
        except UndertoneError as exc:
            logger.warning("the traffic table stays as it is: %s", exc)
        except Exception:  # a table that this code cannot read must not end the watch
            logger.exception("the traffic table stays as it is")
        return self.table is not None

    async def adopt(self, table: TrafficTable) -> None:
        """Put `table` in force if it is newer. Raises what a version with traffic answers that does not work here.

        A version without traffic is opened beside that and hinders nothing: going back from a dead one is done at once.
        """
        async with self._adopting:
            if self.table is not None and table.generation <= self.table.generation:
                return
            table = await self._with_open_routes(table)
            self.table = table
            self._opened &= {route.app for route in table.routes}
            logger.info("traffic table %d: %s", table.generation, {r.app: r.weight for r in table.routes})
        for route in table.routes:
            if route.app not in self._opened and route.app not in self._opening:
                self._opening[route.app] = asyncio.create_task(self._open_aside(route))

    async def _with_open_routes(self, table: TrafficTable) -> TrafficTable:
        """Open the routes that have traffic. A gateway without a table yet begins without those on trial that fail."""
        unopened = [route for route in table.routes if route.weight > 0 and route.app not in self._opened]
        for route in unopened:
            try:
                await self._open(route)
            except UndertoneError as exc:
                if self.table is not None or route is table.trusted:
                    raise
                logger.warning("%s gets no traffic here yet: %s", route.app, exc)
                # One generation older than it is: the next look at the store tries the whole table again.
                table = _without_weight(table, route)
        return table

    async def _open_aside(self, route: Route) -> None:
        try:
            await self._open(route)
        except UndertoneError as exc:
            logger.info("%s has no traffic and does not answer here: %s", route.app, exc)
        finally:
            del self._opening[route.app]

    async def _open(self, route: Route) -> None:
        if route.app not in self._opened:
            try:
                async with asyncio.timeout(self.patience_s):
                    await self.open_route(route)
            except TimeoutError as exc:
                raise Unavailable(f"version {route.version} did not answer within {self.patience_s:g} s") from exc
            self._opened.add(route.app)


def _without_weight(table: TrafficTable, closed: Route) -> TrafficTable:
    routes = tuple(replace(route, weight=0.0) if route is closed else route for route in table.routes)
    return replace(table, routes=routes, generation=table.generation - 1)
