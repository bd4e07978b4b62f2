"""The results of one call, which come from one or more micro-batches."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Generic, TypeVar

R = TypeVar("R")


@dataclass(eq=False, slots=True)
class Ticket(Generic[R]):
    """The results of one call's items, as they come in."""

    results: list[R | Exception | None]
    missing: int
    """How many results have not come yet."""
    done: asyncio.Future[None]
    """Done once no result is missing."""
    is_cancelled: bool = False
    """Whether the caller has gone, so that items that were not sent yet need not be."""

    def fill(self, index: int, result: R | Exception) -> None:
        """Set the result of one item."""
        self.results[index] = result
        self.missing -= 1
        if not self.missing and not self.done.done():
            self.done.set_result(None)


async def results_of(*tickets: Ticket[R]) -> list[list[R | Exception]]:
    """Return for each ticket a result or an exception per item, in order.

    If the call is cancelled, its items that were not sent yet never are.
    """
    try:
        for ticket in tickets:
            await ticket.done
    except asyncio.CancelledError:
        for ticket in tickets:
            ticket.is_cancelled = True
        raise
    return [[result for result in ticket.results if result is not None] for ticket in tickets]
