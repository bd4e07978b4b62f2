"""What a job writes: its own log, its progress, and a last line that the command which follows it reads.

Lines that begin with `::` are for that command alone: a job that nobody follows tells progress and failure in words.
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

from sentiment.errors import UndertoneError, no_room
from sentiment.settings import is_followed, load_settings
from train_jobs.runtime.ray_log import libraries_aside

#: What a line of progress on standard output starts with, for the command that follows a job's log.
PROGRESS: Final = "::progress "
#: What the last line starts with: the outcome as JSON.
OUTCOME: Final = "::outcome "
#: What a line starts with that tells a command which follows why a job failed.
FAILURE: Final = "::failure "
#: How the lines begin that Ray itself puts before a job's log: they tell no user anything, and the second is the job.
_OF_RAY = re.compile(r"\S+\s+\S+\s+INFO\s+job_manager\.py:|Running entrypoint for job ")
_OURS: Final = ("sentiment", "train_jobs", "tune", "__main__")


def begins(what: str, name: str) -> str:
    """Return the line that tells that a run or a search begins, and how it is taken up."""
    return f"{what} {name} begins; if it is cut off, the same command with --name {name} takes it up."


def run_as_job(work: Callable[[], dict[str, Any]]) -> None:
    """Do the work; write the `summary` of its outcome and the outcome, or one line that says why there is none."""
    with told():
        outcome = work()
    sys.stdout.write(f"{outcome['summary']}\n\n{OUTCOME}{json.dumps(outcome)}\n")


@contextmanager
def told(home: Path | None = None) -> Iterator[None]:
    """Log what the block's own code says; what libraries write goes to `logs/ray.log` in home (the settings').

    A reason to fail that a user can mend is told in one line, and the exit status is 1.
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
    """Tell in one line why a job failed: to the command that follows it, or to who reads its standard error."""
    if is_followed():
        sys.stdout.write(f"{FAILURE}{reason}\n")
    else:
        sys.stderr.write(f"Error: {reason}\n")


@contextmanager
def _logging_to(terminal: TextIO) -> Iterator[None]:
    """Log our own code to the terminal and all other to what standard error is now, while the block runs."""
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
        UndertoneError: the job failed; the message is the one that it gave.
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
