"""Run a job module on a Ray cluster as a Ray job, and follow its log line by line."""

from __future__ import annotations

import asyncio
import logging
import shlex
from collections.abc import Generator, Sequence
from typing import Any, Final

from sentiment.environment import cluster_environment, refuse_secrets
from sentiment.errors import Unavailable
from sentiment.priority import JOB_NICENESS
from sentiment.settings import FOLLOWED, Settings
from train_jobs.runtime.working_folder import sent_folder

_LOG = logging.getLogger(__name__)
_SENT_SETTINGS: Final = ("tracking_uri", "datasets", "s3_endpoint")


def submit(
    module: str, arguments: Sequence[str], address: str, settings: Settings, working_dir: str | None = None
) -> Generator[str, None, None]:
    """Submit `python -m MODULE ARGUMENTS` to the cluster whose dashboard is at `address`; yield the lines of its log.

    The cluster runs its installed Undertone, or the code in the folder `working_dir`. It gets the settings of the
    tracking server and of the datasets; all others are the cluster's own. The job has a lower priority than serving.

    Raises:
        InvalidInput: the arguments, settings or files hold a login or a secret, which everybody could read in Ray.
        Unavailable: the cluster does not answer, or the log breaks off; the job itself then goes on.
    """
    from ray.exceptions import RayError  # a wrong token is one
    from ray.job_submission import JobSubmissionClient

    logging.getLogger("ray.dashboard.modules.job.sdk").setLevel(logging.WARNING)  # it logs the end of every log
    refuse_secrets(arguments, settings)
    runtime_env: dict[str, Any] = {"env_vars": cluster_environment(settings, _SENT_SETTINGS)}
    runtime_env |= sent_folder(working_dir, settings) if working_dir else {}
    followed = f"{FOLLOWED}=1"  # for the driver alone: the runtime environment's variables reach all workers too
    entrypoint = shlex.join(["env", followed, "nice", "-n", str(JOB_NICENESS), "python", "-m", module, *arguments])
    try:
        client = JobSubmissionClient(address)
        job = client.submit_job(entrypoint=entrypoint, runtime_env=runtime_env)
    except (ConnectionError, RuntimeError, ValueError, RayError) as exc:
        reason = str(exc).strip().partition("\n")[0]
        raise Unavailable(
            f"the Ray cluster at {address} does not accept the job: {reason}. Give its dashboard's address, such as "
            "http://127.0.0.1:8265, and its token as RAY_AUTH_TOKEN"
        ) from exc
    _LOG.info("submitted as %s", job)
    yield from lines_of(client, job, address)


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
        chunk: str | None = await anext(chunks, None)
    except Exception as exc:  # Ray's client lets through whatever its HTTP library raises
        raise Unavailable(
            f"the log of the job {job} broke off ({exc or type(exc).__name__}); the job goes on. See the rest with: "
            f"ray job logs --follow --address {address} {job}"
        ) from exc
    return chunk
