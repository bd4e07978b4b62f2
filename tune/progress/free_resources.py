"""The placement of trials on Ray: reports that some wait for room, and frees what ended trials still reserve."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

from train_jobs.runs.capacity import ResourceRequest
from train_jobs.runtime.ray_cluster import give_room_back
from tune.plan import HyperparameterSearch
from tune.progress.waiting import WaitReminder, bundles_of, in_words, is_refused

_LOG = logging.getLogger(__name__)
_PENDING: Final = "PENDING"
_RUNNING: Final = "RUNNING"
#: When to free a trial's resources after its end: Ray Train may restart its workers until its controller is gone.
_GIVE_BACK_S: Final = (2.0, 15.0, 60.0)


class TrialPlacement:
    """Looks at a search's trials at each step of Ray Tune; `say` gets a line about waiting ones."""

    def __init__(
        self,
        search: HyperparameterSearch,
        need_at: Callable[[dict[str, Any]], ResourceRequest],
        say: Callable[[str], None],
    ) -> None:
        self._search, self._need_at, self._say = search, need_at, say
        self._reminder = WaitReminder()
        self._ended: list[str] = []
        self._due: list[tuple[float, str]] = []

    def look(self, trials: Sequence[Any], now_s: float) -> None:
        """Report trials that have waited for a while, and free what ended ones reserve."""
        self._due += [(now_s + after_s, trial) for trial in self._ended for after_s in _GIVE_BACK_S]
        self._ended = []
        self._give_back(now_s)
        waiting = {trial.trial_id: trial for trial in trials if self._has_not_begun(trial)}
        if late := self._reminder.overdue(waiting, now_s):
            self._tell([waiting[name] for name in late], now_s)

    def ended(self, trial: str) -> None:
        """Record that a trial has ended, for whatever reason."""
        if not self._search.trains_in_process:
            self._ended.append(trial)

    def _has_not_begun(self, trial: Any) -> bool:
        if self._search.trains_in_process:
            return bool(trial.status == _PENDING)
        return trial.status == _RUNNING and not trial.last_result  # its own process needs no room, its workers do

    def _tell(self, late: Sequence[Any], now_s: float) -> None:
        import ray

        groups = list(ray.util.placement_group_table().values())
        needs = [self._need_at(dict(trial.config)) for trial in late]
        refused = [need for need in needs if is_refused(bundles_of(need), groups)]
        if refused:
            self._say(in_words(len(refused), refused[0], ray.cluster_resources(), ray.available_resources()))
            self._reminder.reported(now_s)

    def _give_back(self, now_s: float) -> None:
        due = [trial for at_s, trial in self._due if at_s <= now_s]
        self._due = [(at_s, trial) for at_s, trial in self._due if at_s > now_s]
        for trial in due:
            if give_room_back(f"{self._search.name}-{trial}"):
                _LOG.info("freed the resources that the ended trial %s still reserved", trial)
