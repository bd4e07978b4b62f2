"""What the demonstration of a rollout makes of how it ended, and of requests that fail."""

from __future__ import annotations

import httpx
import pytest

from tests.demo_rollout import Callers, surprises, wait_until_listed


@pytest.mark.parametrize(
    ("state", "reason", "degraded", "says"),
    [
        ("done", "version 2 has taken over", False, []),
        ("aborted", "versions 2 and 3 give opposite labels (positive against negative) to 10 % of 600 texts", True, []),
        ("aborted", "it takes 4 times as long", False, ["an equal version did not take over"]),
        ("done", "version 3 has taken over", True, ["a degraded version was not stopped"]),
        ("aborted", "version 3 did not load within 300 s", True, ["a degraded version was stopped, but not by"]),
    ],
)
def test_a_rollout_that_ends_otherwise_than_it_should_is_told_with_its_reason(state, reason, degraded, says):
    found = list(surprises({"challenger": 3, "state": state, "reason": reason}, degraded=degraded))
    assert [told[: len(said)] for told, said in zip(found, says, strict=True)] == says
    assert all(reason in told for told in found)


def test_feedback_that_gets_no_answer_is_counted_and_the_caller_goes_on():
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/feedback":
            raise httpx.ReadTimeout("late")
        return httpx.Response(200, json={"id": "a", "model": {"version": 7}})

    callers = Callers("http://api", 0)
    with httpx.Client(base_url="http://api", transport=httpx.MockTransport(answer)) as client:
        for _ in range(2):
            callers._send(client, "a text", "positive")
    assert (callers.answered, callers.unheard, callers.failed) == ({7: 2}, 2, 0)


def test_a_version_that_is_never_listed_is_not_waited_for_without_end():
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"models": [{"version": 1}]}))
    with httpx.Client(base_url="http://api", transport=transport) as client:
        wait_until_listed(client, 1)
        with pytest.raises(TimeoutError, match="does not list version 2"):
            wait_until_listed(client, 2, patience_s=0)
