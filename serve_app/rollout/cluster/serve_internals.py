"""The one home of Ray's private names: for what Serve's public interface lacks, or does far more slowly.

**Statuses.** `serve.status()` builds objects of everything in Serve's controller and pickles each deployment's router
anew, which took four fifths of the rollout controller's time (docs/experiments/2026-11-23-takeovers.md). Here only the
fields that are needed are read.

**Bounds of autoscaling.** Serve restarts no replica if a new configuration differs in the bounds alone, with the same
code version (`DeploymentVersion`). `serve.run` cannot say that the code is the same, so the running configuration is
read, changed in this one number, and deployed again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import ray
from ray._private.state import available_resources_per_node
from ray.serve.context import _get_global_client
from ray.serve.generated.serve_pb2 import ApplicationArgs, DeploymentArgs, DeploymentRoute
from ray.serve.schema import ApplicationStatusOverview, DeploymentStatusOverview

_PATIENCE_S: Final = 2.0


def application_statuses() -> dict[str, ApplicationStatusOverview]:
    """Return the status of each application; empty where Serve has not started."""
    client = _get_global_client(raise_if_no_controller_running=False)
    details = client.get_serve_details() if client else {"applications": {}}
    return {name: _application(application) for name, application in details["applications"].items()}


def serve_details() -> tuple[dict[str, Any], str, int] | None:
    """Return Serve's details, and the host and port that it listens on; None where it has not started.

    `serve.status()` and the dashboard lack the applications' arguments, or show a default instead of the host.
    """
    client = _get_global_client(raise_if_no_controller_running=False)
    return (client.get_serve_details(), str(client.http_config.host), client.http_config.port) if client else None


def _application(details: Mapping[str, Any]) -> ApplicationStatusOverview:
    return ApplicationStatusOverview(
        status=details["status"],
        message=details["message"],
        last_deployed_time_s=details["last_deployed_time_s"],
        deployments={name: _deployment(part) for name, part in details["deployments"].items()},
    )


def _deployment(details: Mapping[str, Any]) -> DeploymentStatusOverview:
    return DeploymentStatusOverview(
        status=details["status"],
        status_trigger=details["status_trigger"],
        replica_states=dict(Counter(replica["state"].value for replica in details["replicas"])),
        message=details["message"],
    )


def available_resources() -> list[dict[str, float]]:
    """Return the free resources of each node of the cluster, by Ray's names."""
    return list(available_resources_per_node().values())


def keep_replicas(app: str, deployment: str, least: int) -> bool:
    """Set the least number of replicas of an application's one deployment; return whether that changed it."""
    controller = _get_global_client()._controller
    running = ray.get(controller.get_deployment_info.remote(deployment, app), timeout=_PATIENCE_S)
    changed = with_least(running, deployment, least, ray.get_runtime_context().get_job_id())
    if changed is None:
        return False
    arguments = {app: ApplicationArgs(external_scaler_enabled=False).SerializeToString()}
    ray.get(controller.deploy_applications.remote({app: [changed]}, arguments), timeout=_PATIENCE_S)
    return True


def with_least(running: bytes, deployment: str, least: int, job: str) -> bytes | None:
    """Return the running deployment with another least number of replicas; None where it has that number already.

    `running` is Serve's `DeploymentRoute`, the result its `DeploymentArgs`, both serialised.
    """
    info = DeploymentRoute.FromString(running).deployment_info
    config = info.deployment_config
    if not config.HasField("autoscaling_config") or config.autoscaling_config.min_replicas == least:
        return None
    config.autoscaling_config.min_replicas = least
    config.autoscaling_config.max_replicas = max(least, config.autoscaling_config.max_replicas)
    config.autoscaling_config.ClearField("initial_replicas")  # else Serve would return to that number
    arguments = DeploymentArgs(
        deployment_name=deployment,
        deployment_config=config.SerializeToString(),
        replica_config=info.replica_config.SerializeToString(),
        deployer_job_id=job,
        ingress=True,
    )
    return bytes(arguments.SerializeToString())
