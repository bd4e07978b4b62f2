"""The progress of a training: lines of JSON for a command that follows it, sentences for people."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TextIO

from sentiment.environment import is_followed
from train_jobs.runtime.output import PROGRESS

#: Least time between two sentences; validations are always reported.
EVERY_S: Final = 30.0

#: The figures of a validation that are shown, in this order.
SHOWN: Final = (
    "validation_macro_recall",
    "validation_macro_f1",
    "validation_accuracy",
    "validation_loss",
    "validation_ece",
)

Figures = Mapping[str, float]


def progress_listener(
    say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
) -> Callable[[Figures], None]:
    """Return a listener for a training's reports: it writes JSON lines for a command that follows, or sentences."""
    return partial(write_progress, sys.stdout) if is_followed() else ProgressSentences(say, clock)


def write_progress(out: TextIO, report: Figures) -> None:
    """Write a report as a JSON line for the command that follows; `out` is the process's original standard output.

    While Ray runs `sys.stdout` is redirected, because Ray prints too.
    """
    out.write(f"{PROGRESS}{json.dumps(dict(report))}\n")
    out.flush()


class ProgressSentences:
    """Reports a training in sentences: each validation, and otherwise at most one in `EVERY_S` seconds."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._say, self._clock = say, clock
        self._last_s = float("-inf")

    def __call__(self, report: Figures) -> None:
        """Take a report."""
        if "score" in report:
            self._say(f"step {report['step']:.0f}: {validation_in_words(report)}")
        elif "total_steps" in report and self._clock() - self._last_s >= EVERY_S:
            self._last_s = self._clock()
            self._say(moment_in_words(report))


def validation_in_words(report: Figures) -> str:
    """Return the figures of a validation: `macro_recall 0.9111  macro_f1 0.9`."""
    return "  ".join(f"{name.removeprefix('validation_')} {report[name]:.4f}" for name in SHOWN if name in report)


def moment_in_words(report: Figures) -> str:
    """Return a training's progress: step, loss, texts per second, time left."""
    return f"step {report['step']:.0f} of {report['total_steps']:.0f}: {speed_in_words(report)}"


def speed_in_words(report: Figures) -> str:
    """Return the loss (if there is one), the texts per second, and the time left."""
    loss = f"loss {report['loss']:.3f}  " if "loss" in report else ""
    return f"{loss}{report['texts_per_s']:,.0f} texts/s  left {duration_in_words(report['eta_s'])}"


def duration_in_words(seconds: float) -> str:
    """Return seconds as `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
