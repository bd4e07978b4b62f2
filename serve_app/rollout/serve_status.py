"""How Serve's applications are, as `serve.status()` tells it, without most of its work.

`serve.status()` first makes objects of all that Serve's controller knows, and so pickles each deployment's router anew:
four fifths of what a rollout's controller did (docs/benchmarks.md). What is asked here is only put in order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ray.serve.context import _get_global_client
from ray.serve.schema import ApplicationStatusOverview, DeploymentStatusOverview


def application_statuses() -> dict[str, ApplicationStatusOverview]:
    """Return how each application is; none where Serve has not started."""
    client = _get_global_client(raise_if_no_controller_running=False)
    details = client.get_serve_details() if client else {"applications": {}}
    return {name: _application(known) for name, known in details["applications"].items()}


def _application(known: Mapping[str, Any]) -> ApplicationStatusOverview:
    return ApplicationStatusOverview(
        status=known["status"],
        message=known["message"],
        last_deployed_time_s=known["last_deployed_time_s"],
        deployments={name: _deployment(part) for name, part in known["deployments"].items()},
    )


def _deployment(known: Mapping[str, Any]) -> DeploymentStatusOverview:
    return DeploymentStatusOverview(
        status=known["status"],
        status_trigger=known["status_trigger"],
        replica_states=dict(Counter(replica["state"].value for replica in known["replicas"])),
        message=known["message"],
    )
