"""The one home of Ray's private names: what Serve's public interface lacks, or does with far more work.

**Statuses.** `serve.status()` first makes objects of all that Serve's controller knows, and so pickles each
deployment's router anew: four fifths of what a rollout's controller did
(docs/experiments/2026-11-23-takeovers.md). What is asked here is only put in order.

**Bounds of autoscaling.** Serve compares what it is told with what it runs: where nothing but the bounds differ, the
version of the code included, no replica is started anew (`DeploymentVersion`). Only `serve.run` cannot say that the
code is the same, so what Serve runs is read, changed in this one number, and given back.
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
    """Return how each application is; none where Serve has not started."""
    client = _get_global_client(raise_if_no_controller_running=False)
    details = client.get_serve_details() if client else {"applications": {}}
    return {name: _application(known) for name, known in details["applications"].items()}


def serve_details() -> tuple[dict[str, Any], str, int] | None:
    """Return all that Serve says of itself, and the host and port that it listens on; None where it has not started.

    `serve.status()` and the dashboard leave out what applications were given, or say a default for the host.
    """
    client = _get_global_client(raise_if_no_controller_running=False)
    return (client.get_serve_details(), str(client.http_config.host), client.http_config.port) if client else None


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


def available_resources() -> list[dict[str, float]]:
    """Return what each node of the cluster has free, by Ray's names of resources."""
    return list(available_resources_per_node().values())


def keep_replicas(app: str, deployment: str, least: int) -> bool:
    """Let an application's one deployment scale down to `least` replicas and no further; return whether it was news."""
    controller = _get_global_client()._controller
    running = ray.get(controller.get_deployment_info.remote(deployment, app), timeout=_PATIENCE_S)
    told = with_least(running, deployment, least, ray.get_runtime_context().get_job_id())
    if told is None:
        return False
    arguments = {app: ApplicationArgs(external_scaler_enabled=False).SerializeToString()}
    ray.get(controller.deploy_applications.remote({app: [told]}, arguments), timeout=_PATIENCE_S)
    return True


def with_least(running: bytes, deployment: str, least: int, job: str) -> bytes | None:
    """Return what makes Serve run the same with another least number of replicas, None where it is that already.

    `running` is Serve's `DeploymentRoute`, what is returned its `DeploymentArgs`, both serialised.
    """
    info = DeploymentRoute.FromString(running).deployment_info
    config = info.deployment_config
    if not config.HasField("autoscaling_config") or config.autoscaling_config.min_replicas == least:
        return None
    config.autoscaling_config.min_replicas = least
    config.autoscaling_config.max_replicas = max(least, config.autoscaling_config.max_replicas)
    config.autoscaling_config.ClearField("initial_replicas")  # or it would go back to those
    arguments = DeploymentArgs(
        deployment_name=deployment,
        deployment_config=config.SerializeToString(),
        replica_config=info.replica_config.SerializeToString(),
        deployer_job_id=job,
        ingress=True,
    )
    return bytes(arguments.SerializeToString())
