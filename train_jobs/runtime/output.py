"""The output of a job: its log, its progress, and a last line with its outcome.

A command that follows a job reads lines that begin with `::`. Without one, progress and failures are sentences.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO

from sentiment.environment import is_followed
from sentiment.errors import UndertoneError, no_room
from sentiment.settings import load_settings
from train_jobs.runtime.ray_log import libraries_aside

#: Begins a line with a progress report as JSON.
PROGRESS: Final = "::progress "
#: Begins the last line: the outcome as JSON.
OUTCOME: Final = "::outcome "
#: Begins a line with the reason why a job failed.
FAILURE: Final = "::failure "
#: Begins the lines that Ray itself puts before a job's log; users need none of them.
_OF_RAY = re.compile(r"\S+\s+\S+\s+INFO\s+job_manager\.py:|Running entrypoint for job ")
_OURS: Final = ("sentiment", "train_jobs", "tune", "__main__")


def begins(what: str, name: str) -> str:
    """Return the line that says that a run or a search starts, and how it is resumed."""
    return f"{what} {name} starts; if it is interrupted, the same command with --name {name} resumes it."


def run_as_job(work: Callable[[], dict[str, Any]]) -> None:
    """Do the work; write the `summary` of its outcome and the outcome, or one line with the reason of a failure."""
    with job_output():
        outcome = work()
    sys.stdout.write(f"{outcome['summary']}\n\n{OUTCOME}{json.dumps(outcome)}\n")


@contextmanager
def job_output(home: Path | None = None) -> Iterator[None]:
    """Log the project's own messages to standard error; the output of libraries goes to `logs/ray.log` in home.

    An error that the user can correct is written in one line, and the process exits with status 1.
    """
    try:
        with libraries_aside(load_settings(home=home)) as real, _logging_to(real):
            yield
    except (UndertoneError, OSError) as exc:
        reason = no_room(exc) if isinstance(exc, OSError) else exc
        if reason is None:
            raise
        tell_failure(" ".join(str(reason).splitlines()))
        sys.exit(1)


def tell_failure(reason: str) -> None:
    """Write in one line why a job failed: for the command that follows it, or to standard error."""
    if is_followed():
        sys.stdout.write(f"{FAILURE}{reason}\n")
    else:
        sys.stderr.write(f"Error: {reason}\n")


@contextmanager
def _logging_to(terminal: TextIO) -> Iterator[None]:
    """Log our own code to the terminal, and all other code to the present standard error, while the block runs."""
    own, others = logging.StreamHandler(terminal), logging.StreamHandler(sys.stderr)
    own.addFilter(_is_ours)
    others.addFilter(lambda record: not _is_ours(record))
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.INFO)
    for handler in (own, others):
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        root.addHandler(handler)
    try:
        yield
    finally:
        root.setLevel(level)
        for handler in (own, others):
            root.removeHandler(handler)


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] in _OURS


def follow(
    lines: Iterable[str], take: Callable[[Mapping[str, float]], None], say: Callable[[str], None]
) -> dict[str, Any]:
    """Read a job's log: reports go to `take`, other lines to `say`; return the outcome that it ends with.

    Raises:
        UndertoneError: the job failed; the message is its own.
    """
    outcome: dict[str, Any] | None = None
    for line in lines:
        if line.startswith(PROGRESS):
            take(json.loads(line.removeprefix(PROGRESS)))
        elif line.startswith(OUTCOME):
            outcome = json.loads(line.removeprefix(OUTCOME))
        elif line.startswith(FAILURE):
            raise UndertoneError(line.removeprefix(FAILURE))
        elif not _OF_RAY.match(line):
            say(line)
    if outcome is None:
        raise UndertoneError("the job ended without an outcome; its log above says why")
    return outcome
