"""Keeps a gateway's traffic table: adopts a newer one once every version with traffic has answered this gateway."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from sentiment.errors import Unavailable, UndertoneError
from sentiment.records import Document
from serve_app.routing.traffic_table import Route, TrafficTable, from_body

logger = logging.getLogger(__name__)

#: Seconds between two looks for a newer table in the store.
POLL_S = 1.0
#: Seconds that a version may take to answer a gateway for the first time.
PATIENCE_S = 15.0


@dataclass(eq=False)
class TrafficWatch:
    """Follows the traffic table of the store.

    The first request over a new Serve handle takes seconds, so a version gets no traffic before it is opened.
    """

    read: Callable[[], Document | None]
    """Returns the table's document of the store."""
    open_route: Callable[[Route], Awaitable[object]]
    """Makes a version answer once through this gateway."""
    table: TrafficTable | None = None
    """The table in force."""
    patience_s: float = PATIENCE_S
    """Most seconds to open a version; then the next look at the store tries again, perhaps with another table."""

    def __post_init__(self) -> None:
        self._opened: set[str] = set()
        self._opening: dict[str, asyncio.Task[None]] = {}
        self._adopting = asyncio.Lock()

    @property
    def generation(self) -> int:
        """The generation of the table in force, 0 before the first; one less while a version of it is not open."""
        return self.table.generation if self.table else 0

    async def wait_for_table(self) -> None:
        """Return once a table is in force."""
        while True:
            if await self.refresh():
                return
            await asyncio.sleep(POLL_S / 4)

    async def follow(self) -> None:
        """Look for newer tables for ever; while the store is away the last one stays in force."""
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
            logger.warning("a newer traffic table could not be adopted, the present one stays in force: %s", exc)
        except Exception:  # a table that this code cannot read must not end the watch
            logger.exception("a newer traffic table could not be adopted, the present one stays in force")
        return self.table is not None

    async def adopt(self, table: TrafficTable) -> None:
        """Put `table` in force if it is newer.

        Versions without traffic are opened in the background, so that a rollback from a dead one takes no time.

        Raises:
            UndertoneError: a version with traffic could not be opened; the table stays out of force.
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
                self._opening[route.app] = asyncio.create_task(self._open_in_background(route))

    async def _with_open_routes(self, table: TrafficTable) -> TrafficTable:
        """Open the routes that have traffic. A gateway's first table may lack canary versions that do not open."""
        unopened = [route for route in table.routes if route.weight > 0 and route.app not in self._opened]
        for route in unopened:
            try:
                await self._open(route)
            except UndertoneError as exc:
                if self.table is not None or route is table.trusted:
                    raise
                logger.warning("%s gets no traffic from this gateway yet, it does not answer: %s", route.app, exc)
                # Marked one generation older than it is, so that the next look at the store tries it again.
                table = _without_weight(table, route)
        return table

    async def _open_in_background(self, route: Route) -> None:
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
