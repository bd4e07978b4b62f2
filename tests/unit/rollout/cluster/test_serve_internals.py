"""What is read of Serve's controller, without a Serve; beside one it is compared in tests/integration."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ray.serve._private.common import ReplicaState
from ray.serve.schema import (
    ApplicationStatus,
    ApplicationStatusOverview,
    DeploymentStatus,
    DeploymentStatusOverview,
    DeploymentStatusTrigger,
)

from serve_app.rollout.cluster import serve_internals as serve_status


def serving(monkeypatch: pytest.MonkeyPatch, client: object) -> None:
    monkeypatch.setattr(serve_status, "_get_global_client", lambda *, raise_if_no_controller_running: client)


def test_where_serve_has_not_started_there_is_no_application(monkeypatch):
    serving(monkeypatch, None)
    assert serve_status.application_statuses() == {}


def test_an_application_is_told_with_its_deployments_and_their_replicas_by_state(monkeypatch):
    states = (ReplicaState.RUNNING, ReplicaState.STARTING, ReplicaState.RUNNING)
    deployment = {
        "status": DeploymentStatus.UPDATING,
        "status_trigger": DeploymentStatusTrigger.UNSPECIFIED,
        "message": "one starts",
        "replicas": [{"state": state, "pid": 7} for state in states],
        "deployment_config": {"never": "read"},
    }
    application = {
        "status": ApplicationStatus.DEPLOYING,
        "message": "",
        "last_deployed_time_s": 5.0,
        "deployments": {"Classifier": deployment},
        "docs_path": None,
    }
    details = {"applications": {"classifier-v8": application}, "proxies": {}}
    serving(monkeypatch, SimpleNamespace(get_serve_details=lambda: details))
    told = DeploymentStatusOverview(
        DeploymentStatus.UPDATING, DeploymentStatusTrigger.UNSPECIFIED, {"RUNNING": 2, "STARTING": 1}, "one starts"
    )
    expected = ApplicationStatusOverview(ApplicationStatus.DEPLOYING, "", 5.0, {"Classifier": told})
    assert serve_status.application_statuses() == {"classifier-v8": expected}
