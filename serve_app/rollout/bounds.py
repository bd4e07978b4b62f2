"""Gives a running deployment another least number of replicas, and leaves the replicas that it has alone.

Serve compares what it is told with what it runs: where nothing but the bounds of autoscaling differ, the version of the
code included, no replica is started anew (`DeploymentVersion`). Only `serve.run` cannot say that the code is the same,
so what Serve runs is read, changed in this one number, and given back.
"""

from __future__ import annotations

from typing import Final

import ray
from ray.serve.context import _get_global_client
from ray.serve.generated.serve_pb2 import ApplicationArgs, DeploymentArgs, DeploymentRoute

_PATIENCE_S: Final = 2.0


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
