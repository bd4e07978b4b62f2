"""Passes events of trials from Ray Tune to listeners: lines on the terminal, MLflow."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from ray.tune import Callback

_LOG = logging.getLogger(__name__)
#: The field of a trial's last report with the name of its training.
TRAINING: Final = "training"
#: The field of a report with the number of the validation, from 1.
VALIDATIONS: Final = "validations"
#: The field of a report that says that the trial fails and that a retry would not help.
GAVE_UP: Final = "gave_up"
_PREFIXES: Final = ("train_", "validation_")
_PLAIN: Final = frozenset({"score", "step", "epoch", "seconds"})
_ENDED: Final = ("TERMINATED", "ERROR")
_WATCHED: Final[dict[str, WatchedSearch]] = {}


class Listener(Protocol):
    """Gets the events of trials, by their names, in the process that runs the search."""

    def started(self, trial: str, point: Mapping[str, Any]) -> None:
        """A trial starts or is resumed."""

    def validated(self, trial: str, figures: Mapping[str, float], validation: int) -> None:
        """A trial was validated: the figures, with `score`, and the number of its validations so far."""

    def ended(self, trial: str, failed: bool) -> None:
        """A trial has ended or was stopped early."""

    def waiting(self, text: str) -> None:
        """Trials have waited for room for a while; `text` says what they ask for and what is free."""


@dataclass
class WatchedSearch:
    """A search as this process sees it."""

    listeners: Sequence[Listener]
    on_begin: Callable[[Sequence[Any]], None] = lambda _: None
    """Called with Ray Tune's trials before the first step."""
    on_step: Callable[[Sequence[Any], float], None] = lambda *_: None
    """Called several times a second with the trials and a monotonic time in seconds."""
    on_end: Callable[[str], None] = lambda _: None
    """Called with the name of a trial that has ended."""
    unended: frozenset[str] = field(default_factory=frozenset)
    """Trials that have not ended."""
    is_begun: bool = False

    def tell(self, what: str, *facts: Any) -> None:
        """Call the method `what` of each listener; an exception in one is logged."""
        for listener in self.listeners:
            try:
                getattr(listener, what)(*facts)
            except Exception:  # noqa: BLE001 - a listener's fault must not end hours of search
                _LOG.warning("an event of a trial could not be processed; the search goes on", exc_info=True)


class TrialWatch(Callback):
    """Passes Ray Tune's events on to the listeners of a search.

    Ray stores its callbacks with a search and restores them in another process: listeners are found by its name.
    """

    _most_deaths = 0  # for searches that were stored without it

    def __init__(self, search: str, most_deaths: int = 0) -> None:
        super().__init__()
        self._search, self._most_deaths = search, most_deaths

    def on_trial_start(self, *, trial: Any, **_: Any) -> None:
        """Pass a start on, and set how often the trial is restarted if its process is lost."""
        trial.max_failures = self._most_deaths
        self._tell("started", trial.trial_id, dict(trial.config))

    def on_trial_result(self, *, trial: Any, result: dict[str, Any], **_: Any) -> None:
        """Pass a validation on; the last report only repeats the best one."""
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
        """Call `on_begin` before the first step."""
        if (watched := _WATCHED.get(self._search)) and not watched.is_begun:
            watched.is_begun = True
            watched.on_begin(trials)

    def on_step_end(self, *, trials: Sequence[Any], **_: Any) -> None:
        """Update the trials that have not ended, and call `on_step`."""
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
    """Pass the events of the search of that name to `watched` while the block runs."""
    _WATCHED[search] = watched
    try:
        yield watched
    finally:
        del _WATCHED[search]


def figures_of(report: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures of a training from a report, without the fields that Ray Tune adds."""
    return {name: float(value) for name, value in report.items() if name.startswith(_PREFIXES) or name in _PLAIN}
