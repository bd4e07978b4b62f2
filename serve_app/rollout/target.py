"""Acts on Ray Serve: starts, watches and ends the applications of model versions."""

from __future__ import annotations

from typing import Final

from ray import serve
from ray.serve import RunTarget
from ray.serve.schema import ApplicationStatus

from deployments.classifier import classifier_app
from serve_app.rollout.capacity import Capacity
from serve_app.rollout.policy import AppState

_PREFIX: Final = "classifier-v"
_STATES: Final = {
    ApplicationStatus.RUNNING: AppState.RUNNING,
    ApplicationStatus.DEPLOY_FAILED: AppState.FAILED,
    ApplicationStatus.UNHEALTHY: AppState.RUNNING,  # it serves, and Serve is replacing a replica
    ApplicationStatus.DELETING: AppState.LEAVING,
}


def app_name(version: int) -> str:
    """Return the name of a version's application."""
    return f"{_PREFIX}{version}"


class ServeTarget:
    """The applications of model versions on this Ray cluster. Its methods block: call them off the event loop."""

    def apps(self) -> dict[int, AppState]:
        """Return how the application of each version is."""
        applications = serve.status().applications
        return {
            int(name.removeprefix(_PREFIX)): _STATES.get(overview.status, AppState.LOADING)
            for name, overview in applications.items()
            if name.startswith(_PREFIX)
        }

    def start(self, model: str, version: int, digest: str, capacity: Capacity) -> None:
        """Start a version's application, without a route of its own, and return at once."""
        application = classifier_app(model, version, digest, **capacity.model_dump())
        target = RunTarget(target=application, name=app_name(version), route_prefix=None)
        serve.run_many([target], wait_for_ingress_deployment_creation=False, wait_for_applications_running=False)

    def retire(self, version: int) -> None:
        """End a version's application, and return at once; it drains by itself."""
        serve.delete(app_name(version), _blocking=False)
