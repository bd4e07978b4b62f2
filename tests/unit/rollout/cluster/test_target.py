from __future__ import annotations

import pytest
from ray.exceptions import GetTimeoutError
from ray.serve.schema import (
    ApplicationStatus,
    ApplicationStatusOverview,
    DeploymentStatus,
    DeploymentStatusOverview,
    DeploymentStatusTrigger,
)

from serve_app.rollout.cluster import target
from serve_app.rollout.cluster.target import ServeTarget, reason_in, view_of
from serve_app.rollout.policy.decisions import AppState
from tests.unit.rollout.fake_platform import Clock

TRACEBACK = """The deployment failed to start 3 times in a row. Error:
ray::ServeReplica:classifier-v8:Classifier.initialize_and_get_metadata() (pid=7, ip=127.0.0.1)
  File "/somewhere/predictor.py", line 67, in load
    raise ModelRejected("...")
sentiment.errors.ModelRejected: config.json does not match the SHA-256 in its manifest; get the version again
"""


def overview(status: ApplicationStatus, replicas: dict[str, int], message: str = "") -> ApplicationStatusOverview:
    deployment = DeploymentStatusOverview(
        DeploymentStatus.UPDATING, DeploymentStatusTrigger.UNSPECIFIED, replicas, message
    )
    return ApplicationStatusOverview(status, "of the application", 0.0, {"Classifier": deployment})


@pytest.mark.parametrize(
    ("status", "replicas", "state"),
    [
        (ApplicationStatus.RUNNING, {"RUNNING": 2}, AppState.RUNNING),
        (ApplicationStatus.UNHEALTHY, {"RUNNING": 1, "STARTING": 1}, AppState.RUNNING),
        (ApplicationStatus.UNHEALTHY, {"STARTING": 1}, AppState.DOWN),
        (ApplicationStatus.RUNNING, {}, AppState.DOWN),
        (ApplicationStatus.DEPLOYING, {"STARTING": 1}, AppState.LOADING),
        (ApplicationStatus.DEPLOY_FAILED, {}, AppState.FAILED),
        (ApplicationStatus.DELETING, {"RUNNING": 1}, AppState.STOPPING),
    ],
)
def test_an_application_is_what_serve_says_and_down_without_a_replica(status, replicas, state):
    view = view_of(overview(status, replicas))
    assert (view.state, view.replicas) == (state, replicas.get("RUNNING", 0))


@pytest.mark.parametrize("status", [ApplicationStatus.DEPLOYING, ApplicationStatus.DEPLOY_FAILED])
def test_a_version_whose_bounds_were_changed_is_up_as_long_as_a_replica_is(status):
    assert view_of(overview(status, {"RUNNING": 1, "STARTING": 1}), was_up=True).state is AppState.RUNNING
    assert view_of(overview(status, {"STARTING": 1}), was_up=True).state is not AppState.RUNNING


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (True, AppState.RUNNING),
        (False, AppState.LOADING),
        (KeyError("no such deployment"), AppState.LOADING),
        (GetTimeoutError("it may be carried out yet"), AppState.RUNNING),
    ],
    ids=["changed", "no-news", "failed", "late"],
)
def test_only_a_version_whose_bounds_may_have_changed_is_up_while_serve_deploys(monkeypatch, outcome, state):
    applications = {"classifier-v7": overview(ApplicationStatus.DEPLOYING, {"RUNNING": 1})}
    monkeypatch.setattr(target, "application_statuses", lambda: applications)
    seen_meanwhile, clock = [], Clock()
    versions = ServeTarget(clock.now_s, memory=lambda: None)

    def keep(app: str, deployment: str, least: int) -> bool:
        seen_meanwhile.append(versions.apps()[7].state)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(target, "keep_replicas", keep)
    if isinstance(outcome, Exception):
        with pytest.raises(type(outcome)):
            versions.keep_replicas(7, 2)
    else:
        versions.keep_replicas(7, 2)
    assert seen_meanwhile == [AppState.RUNNING]  # Serve may deploy before the call returns
    clock.s += 2.0  # what Serve said is old then
    assert versions.apps()[7].state is state


def test_a_version_whose_bounds_were_changed_once_stays_up_when_the_next_change_is_no_news(monkeypatch):
    applications = {"classifier-v7": overview(ApplicationStatus.DEPLOYING, {"RUNNING": 1})}
    monkeypatch.setattr(target, "application_statuses", lambda: applications)
    versions, news = ServeTarget(Clock().now_s, memory=lambda: None), iter([True, False])
    monkeypatch.setattr(target, "keep_replicas", lambda *_: next(news))
    versions.keep_replicas(7, 2)
    versions.keep_replicas(7, 2)
    assert versions.apps()[7].state is AppState.RUNNING


def test_the_reason_is_the_error_at_the_end_of_a_traceback():
    reason = "config.json does not match the SHA-256 in its manifest; get the version again"
    assert reason_in(TRACEBACK) == reason
    assert view_of(overview(ApplicationStatus.DEPLOY_FAILED, {}, TRACEBACK)).message == reason


@pytest.mark.parametrize(
    ("message", "reason"),
    [("", ""), ("one line", "one line"), ("first\nlast\n\n", "last"), ("MemoryError: " + "x" * 1000, "x" * 400)],
)
def test_a_message_without_a_traceback_is_told_by_its_last_line_and_cut(message, reason):
    assert reason_in(message) == reason
