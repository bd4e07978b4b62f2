"""While a rollout runs both versions keep the replicas that carry all the traffic, without one being started anew."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ray.serve._private.deploy_utils import deploy_args_to_deployment_info
from ray.serve._private.deployment_info import DeploymentInfo
from ray.serve._private.version import DeploymentVersion
from ray.serve.generated.serve_pb2 import DeploymentArgs, DeploymentRoute

from deployments.classifier import classifier_app
from serve_app.rollout import commands
from serve_app.rollout.cluster.placement import Capacity
from serve_app.rollout.cluster.protocols import AppView
from serve_app.rollout.cluster.replica_floors import floors_of
from serve_app.rollout.cluster.serve_internals import with_least
from serve_app.rollout.policy.decisions import AppState
from serve_app.rollout.policy.record import Command, State
from tests.unit.rollout.conftest import MODEL
from tests.unit.rollout.rollouts import rollout_of


def running(**replicas: int) -> dict[int, AppView]:
    return {int(name[1:]): AppView(AppState.RUNNING, replicas=count) for name, count in replicas.items()}


SCALING = Capacity(max_replicas=6)


@pytest.mark.parametrize(
    ("state", "apps", "floors"),
    [
        (State.WAITING, running(v1=4), {1: 1}),
        (State.LOADING, running(v1=4), {1: 4}),
        (State.CANARY, running(v1=4, v2=2, v3=5), {1: 4, 2: 4, 3: 1}),
        (State.FULL, running(v1=9, v2=1), {1: 6, 2: 6}),
        (State.ABORTING, running(v1=3, v2=3), {1: 3, 2: 3}),
    ],
)
def test_both_versions_keep_what_the_champion_carries_the_traffic_with(state, apps, floors):
    assert floors_of(rollout_of(state), apps, SCALING) == floors


def test_without_a_rollout_each_version_may_scale_down_to_its_own_least():
    own = Capacity(max_replicas=6, versions={2: {"replicas": 2}})
    assert floors_of(None, running(v1=4, v2=4), own) == {1: 1, 2: 2}


def test_a_version_that_does_not_scale_or_does_not_run_has_no_floor():
    assert floors_of(rollout_of(State.CANARY), running(v1=4, v2=4), Capacity(replicas=4)) == {}
    assert floors_of(rollout_of(State.CANARY), {1: AppView(AppState.DOWN)}, SCALING) == {}


async def test_floors_stand_from_the_load_to_the_end_and_then_sink(platform):
    platform.controller.capacity = SCALING
    platform.target.views[1] = AppView(AppState.RUNNING, replicas=4)
    platform.start(auto=False, plan="50,100")
    await platform.until("canary")
    await platform.rounds(2)
    assert platform.target.floors[-2:] == [(1, 4), (2, 4)]
    platform.target.views[1] = replace(platform.target.views[1], replicas=3)  # one is being replaced
    await platform.rounds(5)
    assert platform.target.floors[-2:] == [(1, 4), (2, 4)]
    commands.give_command(platform.store, MODEL, Command.ABORT, platform.clock.now_ms())
    await platform.until("aborted")
    await platform.rounds(2)
    assert platform.target.floors[-1] == (1, 1)


async def test_a_floor_that_cannot_be_set_is_tried_again_and_holds_nothing_up(platform, monkeypatch):
    def fail(version, least):
        raise KeyError(version)

    platform.controller.capacity = SCALING
    monkeypatch.setattr(platform.target, "keep_replicas", fail)
    platform.start(auto=False, plan="50,100")
    await platform.until("canary")
    monkeypatch.undo()
    await platform.rounds(1)
    assert dict(platform.target.floors).keys() == {1, 2}


def deployed(**capacity: object) -> DeploymentInfo:
    """Return what Serve knows of a version that was started as the controller starts it."""
    deployment = classifier_app("sentiment", 4, "0" * 64, **capacity)._bound_deployment
    config = deployment._deployment_config.model_copy(update={"version": "as-it-was-started"})
    return deploy_args_to_deployment_info(
        "Classifier", config.to_proto_bytes(), deployment._replica_config.to_proto_bytes(), "01", "classifier-v4", True
    )


def version_of(info: DeploymentInfo) -> DeploymentVersion:
    return DeploymentVersion(info.version, info.deployment_config, info.replica_config.ray_actor_options)


def test_serve_starts_no_replica_anew_for_another_floor():
    before = deployed(max_replicas=6, initial_replicas=4, cpus=2)
    route = DeploymentRoute(deployment_info=before.to_proto()).SerializeToString()
    told = DeploymentArgs.FromString(with_least(route, "Classifier", 4, "01"))
    assert told.ingress
    assert not told.HasField("route_prefix")
    after = deploy_args_to_deployment_info(
        told.deployment_name, told.deployment_config, told.replica_config, told.deployer_job_id, "classifier-v4", True
    )
    bounds = after.deployment_config.autoscaling_config
    assert (bounds.min_replicas, bounds.max_replicas, bounds.initial_replicas) == (4, 6, None)
    assert bounds.target_ongoing_requests == 2
    assert version_of(after) == version_of(before)
    assert not version_of(before).requires_actor_restart(version_of(after))
    assert not version_of(before).requires_actor_reconfigure(version_of(after))
    assert after.replica_config.init_args == before.replica_config.init_args


def test_nothing_is_told_where_nothing_changes():
    scaling = DeploymentRoute(deployment_info=deployed(max_replicas=6, replicas=2).to_proto()).SerializeToString()
    fixed = DeploymentRoute(deployment_info=deployed(replicas=2).to_proto()).SerializeToString()
    assert with_least(scaling, "Classifier", 2, "01") is None
    assert with_least(fixed, "Classifier", 4, "01") is None
