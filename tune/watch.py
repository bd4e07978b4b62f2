"""Who hears of trials while a search runs: the table on the terminal, MLflow."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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
_LISTENERS: Final[dict[str, tuple[Listener, ...]]] = {}


class Listener(Protocol):
    """Hears of trials, by their names, in the process that runs the search."""

    def started(self, trial: str, point: Mapping[str, Any]) -> None:
        """A trial begins, or is taken up again."""

    def validated(self, trial: str, figures: Mapping[str, float], validation: int) -> None:
        """A trial was validated: the figures, `score` among them, and how many validations it has had."""

    def ended(self, trial: str, failed: bool) -> None:
        """A trial has ended, or was given up."""


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
        self._tell("ended", trial.trial_id, False)

    def on_trial_error(self, *, trial: Any, **_: Any) -> None:
        """Pass a failure on."""
        self._tell("ended", trial.trial_id, True)

    def _tell(self, what: str, *facts: Any) -> None:
        for listener in _LISTENERS.get(self._search, ()):
            try:
                getattr(listener, what)(*facts)
            except Exception:  # noqa: BLE001 - a search of hours outlives its log
                _LOG.warning("what a trial said was not taken", exc_info=True)


@contextmanager
def listening(search: str, listeners: Sequence[Listener]) -> Iterator[None]:
    """Let `listeners` hear of the trials of the search of that name while the block runs."""
    _LISTENERS[search] = tuple(listeners)
    try:
        yield
    finally:
        del _LISTENERS[search]


def figures_of(report: Mapping[str, Any]) -> dict[str, float]:
    """Return what a training says in a report, without what Ray Tune adds."""
    return {name: float(value) for name, value in report.items() if name.startswith(_PREFIXES) or name in _PLAIN}
