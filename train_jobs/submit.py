"""Run a module of jobs on a Ray cluster as a Ray job, and follow its log line by line."""

from __future__ import annotations

import asyncio
import logging
import shlex
from collections.abc import Generator, Sequence
from typing import Any, Final

from sentiment.errors import InvalidSettings, Unavailable
from sentiment.logins import has_login, without_login
from sentiment.priority import JOB_NICENESS
from sentiment.settings import Settings, environment_of

_LOG = logging.getLogger(__name__)
_TOLD: Final = ("UNDERTONE_TRACKING_URI", "UNDERTONE_DATASETS", "UNDERTONE_S3_ENDPOINT")
#: Which variables of the cluster's own environment hold the login of each server.
_LOGINS: Final = {
    "UNDERTONE_TRACKING_URI": "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
    "UNDERTONE_S3_ENDPOINT": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
}


def submit(
    module: str, arguments: Sequence[str], address: str, settings: Settings, working_dir: str | None = None
) -> Generator[str, None, None]:
    """Submit `python -m MODULE ARGUMENTS` to the cluster whose dashboard is at `address`; yield its log's lines.

    The cluster runs the Undertone that is installed there, or that in the folder `working_dir`. Of the settings it is
    told where runs are tracked and where datasets are; all else is the cluster's own.

    It gives way to what serves there. Who reads no further closes the log.

    Raises:
        InvalidSettings: what it would be told holds a login.
        Unavailable: the cluster does not answer, or its log breaks off: the job goes on then.
    """
    from ray.exceptions import RayError  # a wrong token is one
    from ray.job_submission import JobSubmissionClient

    logging.getLogger("ray.dashboard.modules.job.sdk").setLevel(logging.WARNING)  # how a log ended is no news
    told = _told(settings)
    runtime_env: dict[str, Any] = {"env_vars": told, **({"working_dir": working_dir} if working_dir else {})}
    entrypoint = shlex.join(["nice", "-n", str(JOB_NICENESS), "python", "-m", module, *arguments])
    try:
        client = JobSubmissionClient(address)
        job = client.submit_job(entrypoint=entrypoint, runtime_env=runtime_env)
    except (ConnectionError, RuntimeError, ValueError, RayError) as exc:
        reason = str(exc).strip().partition("\n")[0]
        raise Unavailable(
            f"the Ray cluster at {address} takes no job: {reason}. Give its dashboard's address, such as "
            "http://127.0.0.1:8265, and its token as RAY_AUTH_TOKEN"
        ) from exc
    _LOG.info("submitted as %s", job)
    yield from lines_of(client, job, address)


def _told(settings: Settings) -> dict[str, str]:
    """Return the variables for a job's environment, which all see who may look at the cluster's dashboard."""
    told = {name: value for name, value in environment_of(settings).items() if name in _TOLD}
    for name, value in told.items():
        if name in _LOGINS and has_login(value):
            raise InvalidSettings(
                f"{name} holds a login, which all who may look at the cluster's dashboard would read in the job. Say "
                f"{name}={without_login(value)} here, and start the cluster with {_LOGINS[name]} in its environment.",
                name,
            )
    return told


def lines_of(client: Any, job: str, address: str) -> Generator[str, None, None]:
    """Yield the lines of a job's log as they are written, until it ends.

    Raises:
        Unavailable: the log breaks off; the message says how to see the rest.
    """
    rest = ""
    with asyncio.Runner() as runner:
        chunks = client.tail_job_logs(job)
        while (chunk := runner.run(_next(chunks, job, address))) is not None:
            *lines, rest = (rest + chunk).split("\n")
            yield from lines
    if rest:
        yield rest


async def _next(chunks: Any, job: str, address: str) -> str | None:
    try:
        found: str | None = await anext(chunks, None)
    except Exception as exc:  # Ray's client lets through whatever its HTTP library raises
        raise Unavailable(
            f"the log of the job {job} broke off ({exc or type(exc).__name__}); the job goes on. See the rest with: "
            f"ray job logs --follow --address {address} {job}"
        ) from exc
    return found
