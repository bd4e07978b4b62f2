"""Translates the errors that Ray's tasks and actors end with into the project's own errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sentiment.errors import Unavailable, UndertoneError, no_room

_RAY_DATA_ADDS: Final = "\nFailed to apply UDF"  # and more, to the message of every error
_MEMORY: Final = re.compile(r"out of memory|low on memory|OutOfMemory|Cannot allocate memory|SIGKILL", re.IGNORECASE)
_NODE_DEATH: Final = re.compile(r"node (has |was |is )?(died|dead|terminated|failed|preempted)", re.IGNORECASE)
_PROCESS_DEATH: Final = re.compile(r"worker process has died|unexpectedly exits|connection error code 2", re.IGNORECASE)
_STORAGE: Final = re.compile(r"AWS Error|OSError|FileNotFoundError|ConnectionError|storage", re.IGNORECASE)
_NO_NEWS: Final = re.compile(r"\s|\[Rank |Traceback |During handling|The above exception|$")
_LONGEST_LINE: Final = 300
_GUESSES: Final = " There are some potential root causes."
#: The reason in messages about a worker that died without an error of its own.
DIED: Final = "the worker process was killed or crashed several times; memory may have run out: give fewer --shard-rows"
_LOW_MEMORY: Final = re.compile(r"low on memory|OutOfMemory|out of memory issue|Cannot allocate memory", re.IGNORECASE)
_DIED: Final = re.compile(
    r"actor died|worker died|worker process has died|WorkerCrashed|exited unexpectedly", re.IGNORECASE
)
_ADVICE: Final = re.compile(
    r"https?://|ray\.data\.|DataContext|\bRAY_[A-Z_a-z]+|ray logs|Ray Data internal", re.IGNORECASE
)


@contextmanager
def reporting_full_disk() -> Iterator[None]:
    """Translate "disk full" errors into Unavailable with the folder's name; Ray would show a traceback otherwise."""
    try:
        yield
    except OSError as exc:
        if full := no_room(exc):
            raise full from exc
        raise


def own_error(exc: BaseException | None) -> UndertoneError | None:
    """Return the project's own error that a task or an actor ended with, without Ray's wrapper; None for others."""
    own = next((cause for cause in _causes(exc) if _is_own(cause)), None)
    if not isinstance(own, UndertoneError):
        return None
    own.args = (str(own).partition(_RAY_DATA_ADDS)[0], *own.args[1:])
    return own


def resume_hint(name: str) -> str:
    """Return how the run `name` is resumed, for a message."""
    return f"the same command, for `train` and `distill` with --name {name}, goes on from the last checkpoint"


@contextmanager
def run_named(name: str) -> Iterator[None]:
    """Add to any Unavailable of the block how the run `name` is resumed."""
    try:
        yield
    except Unavailable as exc:
        if f"--name {name}" in str(exc):
            raise
        raise type(exc)(f"{str(exc).rstrip('.')}. When it is available again, {resume_hint(name)}") from exc


def lost_too_often(report: str, name: str) -> Unavailable:
    """Return the error of a run whose workers were lost more often than `most_failures`, with Ray's reason."""
    if _MEMORY.search(report):
        remedy = f"If memory ran out, free some; then {resume_hint(name)}; or start again with fewer batch_tokens"
    elif _STORAGE.search(report):
        remedy = f"Check that --storage is up and has free space; then {resume_hint(name)}"
    else:
        remedy = f"When the cause is removed, {resume_hint(name)}"
    return Unavailable(f"the training's workers were lost too often; the last time: {reason_in(report)}. {remedy}")


def death_of(exc: BaseException) -> str | None:
    """Return in a few words why an actor's process is gone; None if it is alive and raised the error itself."""
    from ray.exceptions import RayActorError, RayTaskError

    cause = getattr(exc, "health_check_failure", exc)  # Ray Train's wrapper of a worker's failure
    if not isinstance(cause, RayActorError) or isinstance(cause, RayTaskError):
        return None
    report = str(cause)
    if _MEMORY.search(report):
        return "memory ran out"
    if _NODE_DEATH.search(report):
        return "its node died"
    return "its process was killed" if _PROCESS_DEATH.search(report) else reason_in(report)


def death_in(report: str) -> str:
    """Return why a worker died, by Ray's report, in words that need no knowledge of Ray."""
    if _LOW_MEMORY.search(report):
        return "memory ran out; free some, or give fewer --shard-rows or a lower --most"
    if _DIED.search(report):
        return DIED
    return reason_in(report)


def reason_in(report: str) -> str:
    """Return the line with the reason from one of Ray's reports, which are full of tracebacks and advice."""
    lines = [line for line in report.splitlines() if not _NO_NEWS.match(line) and not _ADVICE.search(line)]
    telling = [line for line in lines if _MEMORY.search(line)] or lines[-1:] or report.strip().splitlines()
    reason = telling[0].partition(_GUESSES)[0] if telling else "no reason is known"
    return reason.strip().rstrip(".")[:_LONGEST_LINE]


def _is_own(cause: BaseException) -> bool:
    from ray.exceptions import RayError  # its wrapper is an instance of what it wraps, too

    return isinstance(cause, UndertoneError) and not isinstance(cause, RayError)


def _causes(exc: BaseException | None) -> Iterator[BaseException]:
    while exc is not None:
        yield exc
        exc = getattr(exc, "cause", None) or exc.__cause__
