"""The items of one call, whose results come in from one or more micro-batches."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Generic, TypeVar

R = TypeVar("R")


@dataclass(eq=False, slots=True)
class Ticket(Generic[R]):
    """Items of one call: their results come in from one or more micro-batches."""

    results: list[R | Exception | None]
    missing: int
    done: asyncio.Future[None]
    given_up: bool = False

    def fill(self, index: int, result: R | Exception) -> None:
        """Take the result of one item."""
        self.results[index] = result
        self.missing -= 1
        if not self.missing and not self.done.done():
            self.done.set_result(None)


async def results_of(*tickets: Ticket[R]) -> list[list[R | Exception]]:
    """Return for each ticket a result or an exception per item, in order.

    A cancelled call gives up its places: what has not been sent yet never is.
    """
    try:
        for ticket in tickets:
            await ticket.done
    except asyncio.CancelledError:
        for ticket in tickets:
            ticket.given_up = True
        raise
    return [[result for result in ticket.results if result is not None] for ticket in tickets]
