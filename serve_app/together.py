"""Whether texts of versions on trial share micro-batches with those of the trusted version.

Apart, a version on trial keeps no other's texts waiting, but each micro-batch pays calls to all parts for few texts:
two versions at half the traffic each cost about as much as twice the traffic. Together, texts are cleaned by one call,
classified by a call to each version at the same time, and kept by one call. So it is while a version keeps pace. Where
its answers do not come soon after the trusted version's, only its own callers wait for them, and its texts go apart
for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final

from serve_app.judging import Judge

#: How much longer than the trusted version's a version's calls may take, as a factor and in seconds.
_TIMES: Final = 1.5
_SLACK_S: Final = 0.01
#: How long the trusted version's texts wait for others of their micro-batch: as long again as they took, and the slack.
_AS_LONG: Final = 1.0
#: How long texts of a version that was waited for in vain go apart.
_APART_S: Final = 10.0


@dataclass(eq=False)
class Together:
    """Knows which versions keep pace. Times are seconds of one steady clock."""

    judge: Judge
    _apart_until: dict[int, float] = field(default_factory=dict)

    def keep_pace(self, trusted: int, versions: Collection[int], now_s: float) -> bool:
        """Whether all `versions` may share a micro-batch with the trusted one."""
        known_s = self.judge.call_s(trusted)
        if known_s is None:
            return False
        most_s = _TIMES * known_s + _SLACK_S
        return all(
            (took_s := self.judge.call_s(version)) is not None
            and took_s <= most_s
            and now_s >= self._apart_until.get(version, 0.0)
            for version in versions
        )

    async def come(self, others: asyncio.Future[Any], took_s: float) -> bool:
        """Wait a little for answers beside the trusted version's, which took `took_s`; return whether they came."""
        await asyncio.wait({others}, timeout=_AS_LONG * took_s + _SLACK_S)
        return others.done()

    def part(self, versions: Collection[int], now_s: float) -> None:
        """Let texts of `versions`, which were waited for in vain, go apart for a while."""
        self._apart_until |= dict.fromkeys(versions, now_s + _APART_S)
