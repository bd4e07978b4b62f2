"""Who hears of trials while a search runs: the table on the terminal, MLflow."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from ray.tune import Callback

_LOG = logging.getLogger(__name__)
#: The field of a trial's last report that names its training.
TRAINING: Final = "training"
#: The field of a report that tells the number of the validation, from 1.
VALIDATIONS: Final = "validations"
#: The field of a report that says that the trial fails, and that no second try would mend it.
GAVE_UP: Final = "gave_up"
_PREFIXES: Final = ("train_", "validation_")
_PLAIN: Final = frozenset({"score", "step", "epoch", "seconds"})
_ENDED: Final = ("TERMINATED", "ERROR")
_WATCHED: Final[dict[str, WatchedSearch]] = {}


class Listener(Protocol):
    """Hears of trials, by their names, in the process that runs the search."""

    def started(self, trial: str, point: Mapping[str, Any]) -> None:
        """A trial begins, or is taken up again."""

    def validated(self, trial: str, figures: Mapping[str, float], validation: int) -> None:
        """A trial was validated: the figures, `score` among them, and how many validations it has had."""

    def ended(self, trial: str, failed: bool) -> None:
        """A trial has ended, or was given up."""

    def waiting(self, text: str) -> None:
        """Trials have waited for room for a while: a line that says what they ask for and what is free."""


@dataclass
class WatchedSearch:
    """A search as this process sees it: who listens, which trials have not ended, and who looks at each step.

    `on_begin` is called with Ray Tune's trials before the first step, of a search that is taken up with those that
    there are, and `on_step` some times a second; `on_end` with the name of a trial.
    """

    listeners: Sequence[Listener]
    on_begin: Callable[[Sequence[Any]], None] = lambda _: None
    on_step: Callable[[Sequence[Any], float], None] = lambda *_: None
    on_end: Callable[[str], None] = lambda _: None
    unended: frozenset[str] = field(default_factory=frozenset)
    is_begun: bool = False

    def tell(self, what: str, *facts: Any) -> None:
        """Tell the listeners; a fault of one is logged."""
        for listener in self.listeners:
            try:
                getattr(listener, what)(*facts)
            except Exception:  # noqa: BLE001 - a search of hours outlives its log
                _LOG.warning("what a trial said was not taken", exc_info=True)


class TrialWatch(Callback):
    """Tells the listeners of a search what Ray Tune says of trials; a listener's fault ends no search.

    Ray stores a search's callbacks with it, to restore them in another process: who listens is found by its name.
    """

    _most_deaths = 0  # of searches that were begun when this was not kept

    def __init__(self, search: str, most_deaths: int = 0) -> None:
        super().__init__()
        self._search, self._most_deaths = search, most_deaths

    def on_trial_start(self, *, trial: Any, **_: Any) -> None:
        """Pass a beginning on; the trial is started anew so many times if its process is lost."""
        trial.max_failures = self._most_deaths
        self._tell("started", trial.trial_id, dict(trial.config))

    def on_trial_result(self, *, trial: Any, result: dict[str, Any], **_: Any) -> None:
        """Pass a validation on; the last report, which repeats the best one, is none."""
        if GAVE_UP in result:
            trial.max_failures = 0
        elif VALIDATIONS in result:
            self._tell("validated", trial.trial_id, figures_of(result), int(result[VALIDATIONS]))

    def on_trial_complete(self, *, trial: Any, **_: Any) -> None:
        """Pass an end on."""
        self._ended(trial.trial_id, False)

    def on_trial_error(self, *, trial: Any, **_: Any) -> None:
        """Pass a failure on."""
        self._ended(trial.trial_id, True)

    def on_step_begin(self, *, trials: Sequence[Any], **_: Any) -> None:
        """Let whoever watches look at the trials before the first step."""
        if (watched := _WATCHED.get(self._search)) and not watched.is_begun:
            watched.is_begun = True
            watched.on_begin(trials)

    def on_step_end(self, *, trials: Sequence[Any], **_: Any) -> None:
        """Remember which trials have not ended, and let whoever watches look at them."""
        if watched := _WATCHED.get(self._search):
            watched.unended = frozenset(trial.trial_id for trial in trials if trial.status not in _ENDED)
            watched.on_step(trials, time.monotonic())

    def _ended(self, trial: str, failed: bool) -> None:
        if watched := _WATCHED.get(self._search):
            watched.on_end(trial)
        self._tell("ended", trial, failed)

    def _tell(self, what: str, *facts: Any) -> None:
        if watched := _WATCHED.get(self._search):
            watched.tell(what, *facts)


@contextmanager
def watching(search: str, watched: WatchedSearch) -> Iterator[WatchedSearch]:
    """Let who is in `watched` hear of the trials of the search of that name while the block runs."""
    _WATCHED[search] = watched
    try:
        yield watched
    finally:
        del _WATCHED[search]


def figures_of(report: Mapping[str, Any]) -> dict[str, float]:
    """Return what a training says in a report, without what Ray Tune adds."""
    return {name: float(value) for name, value in report.items() if name.startswith(_PREFIXES) or name in _PLAIN}
