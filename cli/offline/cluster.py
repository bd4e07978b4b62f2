"""Runs commands as jobs on a Ray cluster, and refuses options that name files of this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from rich.console import Console

from sentiment.errors import InvalidInput
from sentiment.registry import ALIASES
from sentiment.settings import LOOPBACK, Settings
from train_jobs.runtime.options import CommandOptions

_LESSON: Final = ("teacher", "unlabelled")
_errors = Console(stderr=True, soft_wrap=True)

#: What names a place, by what a user calls it; one option may name several.
Named = Sequence[tuple[str, str | None]]


def remotely(job: str, arguments: Sequence[str], command: CommandOptions, settings: Settings) -> dict[str, Any]:
    """Run a module of jobs on the cluster that a command names, show its log on standard error; return its outcome."""
    from train_jobs.runtime.output import follow
    from train_jobs.runtime.submit import submit

    lines = submit(job, list(arguments), command.address or "", settings, command.working_dir)
    with closing(lines):  # a failed job is read no further
        return follow(lines, lambda _: None, lambda line: _errors.print(line, markup=False, highlight=False))


def refuse_local(value: object, option: str) -> None:
    """Raise InvalidInput if an option that writes to this machine is set for a job on a cluster."""
    if value is not None:
        raise InvalidInput(
            f"{option} names a place on this machine, but the job runs on the cluster: leave it out, and download the "
            "files from the run in MLflow.",
            option.removeprefix("--"),
        )


def refuse_unseen(named: Named, address: str, working_dir: str | None = None, outputs: Named = ()) -> None:
    """Raise InvalidInput if a value names a file or folder of this machine for a job on a cluster that lacks it.

    A full path is sent to a cluster on this machine, one within `working_dir`, which is sent along, to any. What is not
    there is the cluster's own, or no path at all. Of places that are `made`, only a full path can be the cluster's own:
    what a job makes in its working folder is lost with it.
    """
    is_here = urlsplit(address).hostname in LOOPBACK
    for option, value in named:
        is_sent = working_dir and value and _is_relative(value) and Path(working_dir, value).exists()
        if value and _is_path(value) and not is_sent and (_is_relative(value) or not is_here):
            raise _unseen(option, value, ", a version in the registry (models:/NAME/NUMBER) or a path in --working-dir")
    for option, value in outputs:
        if value and _is_relative(value):
            raise InvalidInput(
                f"{option} {value} would be made in the working folder of a job on the cluster and be lost with it: "
                "name s3://… or a full path that is the cluster's own.",
                option.rpartition("--")[2],
            )
        if value and _is_path(value) and not is_here:
            raise _unseen(option, value, " or a full path that is the cluster's own")


def places_of(training: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """Return the fields of a training's configuration that may name files, by their options."""
    lesson = training.get("distill")
    fields = lesson if isinstance(lesson, Mapping) else {}
    values = [("--backbone", training.get("backbone")), *((f"--{name}", fields.get(name)) for name in _LESSON)]
    return [(option, str(value)) for option, value in values if value is not None]


def _unseen(option: str, value: str, others: str) -> InvalidInput:
    return InvalidInput(
        f"{option} {value} lies on this machine, and the job runs on the cluster: name what it reaches, as s3://…"
        f"{others}.",
        option.rpartition("--")[2],
    )


def _is_path(value: str) -> bool:
    if not value or "://" in value or value.startswith("models:/") or value.isdigit() or value in ALIASES:
        return False
    try:
        return Path(value).expanduser().exists()
    except (RuntimeError, OSError):  # ~NAME of nobody here, or a name that no file can have
        return False


def _is_relative(value: str) -> bool:
    return "://" not in value and not Path(value).is_absolute()
