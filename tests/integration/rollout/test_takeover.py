"""Takeovers there and back under the benchmark's load: no failed request, no answer of a version without weight.

Times are for the benchmark (`python -m tests.benchmarks.takeover`): this asserts none.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.benchmarks.pace import Pace
from tests.benchmarks.takeover import by_alias, endless_texts, take_over, two_versions
from tests.running_platform import RunningPlatform

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(1800)]

STEADY_RPS = 40.0  # a quarter of what two idle cores carry: those that run the tests may be busy
AS_FAST_AS_IT_GOES = 0.0


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    with two_versions(tmp_path_factory.mktemp("takeover")) as (platform, _):
        yield platform


async def test_takeovers_there_and_back_at_a_steady_rate_at_full_load_and_by_the_alias_lose_no_request(platform):
    texts = endless_texts()
    with Pace() as pace:
        async with httpx.AsyncClient(base_url=platform.url, timeout=60) as client:
            for version, rps in ((2, STEADY_RPS), (1, STEADY_RPS), (2, AS_FAST_AS_IT_GOES)):
                seen = await take_over(platform, client, version, texts, rps, pace)
                assert (seen["aborted"], seen["failed"]) == ("", 0), seen
                assert seen["wrong"] == 0, seen
            assert (await by_alias(platform, client, 1, texts, STEADY_RPS))["alias_failed"] == 0
