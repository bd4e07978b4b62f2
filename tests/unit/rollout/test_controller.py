"""The loop around the rounds; no Ray is started."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from serve_app.rollout import controller
from serve_app.rollout.policy.decisions import Wait


class Rounds:
    """A reconciler whose first rounds raise what it is given; `went_on` is set by the round after them."""

    def __init__(self, *errors: BaseException) -> None:
        self._errors = list(errors)
        self.went_on = asyncio.Event()

    async def step(self) -> Wait:
        if self._errors:
            raise self._errors.pop(0)
        self.went_on.set()
        return Wait("there is nothing to do")

    async def has_news(self) -> bool:
        return False


def loop_over(rounds: Rounds) -> asyncio.Task[None]:
    """Return the controller's loop over these rounds."""
    told = SimpleNamespace(_reconciler=rounds, _pause_s=lambda _: 60.0, _rest=lambda _: asyncio.sleep(0))
    return asyncio.create_task(controller.RolloutController.func_or_class._run(told))


@pytest.mark.parametrize("error", [ValueError("a fault"), asyncio.CancelledError()], ids=["fault", "cancelled-call"])
async def test_the_loop_outlives_a_round_that_fails_or_whose_call_was_cancelled_elsewhere(error):
    rounds = Rounds(error)
    loop = loop_over(rounds)
    await asyncio.wait({loop, asyncio.ensure_future(rounds.went_on.wait())}, return_when=asyncio.FIRST_COMPLETED)
    assert rounds.went_on.is_set()
    assert not loop.done()
    loop.cancel()
    await asyncio.wait({loop}, timeout=5)
    assert loop.cancelled()
