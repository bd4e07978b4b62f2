"""Errors that Ray's tasks and actors end with, as the project's own: as they raise them, and as they come back."""

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
#: What is told of a worker that is gone without a word.
DIED: Final = "the worker process was killed or crashed, again and again; memory may have run out (fewer --shard-rows)"
_LOW_MEMORY: Final = re.compile(r"low on memory|OutOfMemory|out of memory issue|Cannot allocate memory", re.IGNORECASE)
_DIED: Final = re.compile(
    r"actor died|worker died|worker process has died|WorkerCrashed|exited unexpectedly", re.IGNORECASE
)
_ADVICE: Final = re.compile(
    r"https?://|ray\.data\.|DataContext|\bRAY_[A-Z_a-z]+|ray logs|Ray Data internal", re.IGNORECASE
)


@contextmanager
def full_disk_told() -> Iterator[None]:
    """Let a full disk be Unavailable, naming the folder: Ray passes on what is raised as a traceback else."""
    try:
        yield
    except OSError as exc:
        if full := no_room(exc):
            raise full from exc
        raise


def own_error(exc: BaseException | None) -> UndertoneError | None:
    """Return the project's own error that a task or an actor died of, without Ray's wrapping; None if it is another."""
    own = next((cause for cause in _causes(exc) if _is_own(cause)), None)
    if not isinstance(own, UndertoneError):
        return None
    own.args = (str(own).partition(_RAY_DATA_ADDS)[0], *own.args[1:])
    return own


def goes_on(name: str) -> str:
    """Return how the run `name` is taken up."""
    return f"the same command goes on from the last checkpoint, `train` and `distill` with --name {name}"


@contextmanager
def run_named(name: str) -> Iterator[None]:
    """Let what is away for now, such as the registry, be told with how the run `name` goes on."""
    try:
        yield
    except Unavailable as exc:
        if f"--name {name}" in str(exc):
            raise
        raise type(exc)(f"{str(exc).rstrip('.')}. Once that is mended, {goes_on(name)}") from exc


def lost_too_often(report: str, name: str) -> Unavailable:
    """Return what to tell of a run whose workers, by Ray's report, were lost more often than they may be."""
    if _MEMORY.search(report):
        remedy = f"If memory ran out, make room for it: {goes_on(name)}; or begin anew with fewer batch_tokens"
    elif _STORAGE.search(report):
        remedy = f"Is --storage up, with room? Then {goes_on(name)}"
    else:
        remedy = f"Once the cause is gone, {goes_on(name)}"
    return Unavailable(f"the training's workers were lost too often; the last time: {reason_in(report)}. {remedy}")


def death_of(exc: BaseException) -> str | None:
    """Return in a few words why the process of an actor is gone; None if it lives, and raised the error itself."""
    from ray.exceptions import RayActorError, RayTaskError

    cause = getattr(exc, "health_check_failure", exc)  # so Ray Train wraps what it hears of a worker
    if not isinstance(cause, RayActorError) or isinstance(cause, RayTaskError):
        return None
    told = str(cause)
    if _MEMORY.search(told):
        return "memory ran out"
    if _NODE_DEATH.search(told):
        return "its node died"
    return "its process was killed" if _PROCESS_DEATH.search(told) else reason_in(told)


def death_in(report: str) -> str:
    """Return what a worker of Ray's died of by Ray's report, in words that need no knowledge of Ray."""
    if _LOW_MEMORY.search(report):
        return "memory ran out; make room, or give fewer --shard-rows or a lower --most"
    if _DIED.search(report):
        return DIED
    return reason_in(report)


def reason_in(report: str) -> str:
    """Return the line that tells the reason in one of Ray's reports, which hold tracebacks and advice."""
    lines = [line for line in report.splitlines() if not _NO_NEWS.match(line) and not _ADVICE.search(line)]
    telling = [line for line in lines if _MEMORY.search(line)] or lines[-1:] or report.strip().splitlines()
    told = telling[0].partition(_GUESSES)[0] if telling else "no reason is known"
    return told.strip().rstrip(".")[:_LONGEST_LINE]


def _is_own(cause: BaseException) -> bool:
    from ray.exceptions import RayError  # its wrapper is an instance of what it wraps, too

    return isinstance(cause, UndertoneError) and not isinstance(cause, RayError)


def _causes(exc: BaseException | None) -> Iterator[BaseException]:
    while exc is not None:
        yield exc
        exc = getattr(exc, "cause", None) or exc.__cause__
