"""What a job writes: its log, its progress, and a last line that the command which follows it reads."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from sentiment.errors import UndertoneError, no_room

#: What a line of progress on standard output starts with, for the command that follows a job's log.
PROGRESS: Final = "::progress "
#: What the last line starts with: the outcome as JSON.
OUTCOME: Final = "::outcome "
#: What a line starts with that tells why a job failed.
FAILURE: Final = "::failure "


def begins(what: str, name: str) -> str:
    """Return the line that tells that a run or a search begins, and how it is taken up."""
    return f"{what} {name} begins; if it is cut off, the same command with --name {name} takes it up."


def run_as_job(work: Callable[[], dict[str, Any]]) -> None:
    """Do the work; write the `summary` of its outcome and the outcome, or one line that says why there is none."""
    with told():
        outcome = work()
    sys.stdout.write(f"{outcome['summary']}\n\n{OUTCOME}{json.dumps(outcome)}\n")


@contextmanager
def told() -> Iterator[None]:
    """Log what the block says; a reason to fail that a user can mend is told in one line, and the exit status is 1."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        yield
    except (UndertoneError, OSError) as exc:
        reason = no_room(exc) if isinstance(exc, OSError) else exc
        if reason is None:
            raise
        sys.stdout.write(f"{FAILURE}{' '.join(str(reason).splitlines())}\n")
        sys.exit(1)
