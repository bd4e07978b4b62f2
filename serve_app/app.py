"""Builds the application: Gateway, Preprocessor, Sink, RolloutController and Insight.

    serve run serve_app.app:build_app                 # on a running Ray cluster
    serve run serve_app.app:build_app gateways=4

Classifiers are separate applications, one for each model version; the controller starts them.
"""

# No `from __future__ import annotations` here: Serve needs AppArgs as a class, or it passes a plain dict.

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from ray import serve

from deployments.preprocessor import Preprocessor
from deployments.sink import Sink
from sentiment.settings import load_settings
from serve_app.gateway.deployment import Gateway
from serve_app.insight.deployment import Insight
from serve_app.on_cluster.standing import INSTANCE
from serve_app.rollout.controller import RolloutController


class AppArgs(BaseModel):
    """Arguments of the application; replicas that are left out come from the settings. A Serve config may set them."""

    model_config = ConfigDict(extra="forbid")

    gateways: int | None = Field(None, ge=1)
    preprocessors: int | None = Field(None, ge=1)
    sinks: int | None = Field(None, ge=1)
    instance: str = Field("", description="id of the platform's start, which its API reports")
    local: bool = Field(
        False, description="whether it runs on a local platform, whose supervisor configures the ingress"
    )


def build_app(args: AppArgs) -> serve.Application:
    """Return the application without starting it."""
    settings = load_settings()
    preprocessor = _replicated(Preprocessor, args.preprocessors or settings.preprocessor_replicas).bind()
    sink = _replicated(Sink, args.sinks or settings.sink_replicas).bind()
    gateway = _replicated(Gateway, args.gateways or settings.gateway_replicas)
    if args.instance:
        gateway = gateway.options(user_config={INSTANCE: args.instance})
    controller = _replicated(RolloutController, 1).bind()
    insight = _replicated(Insight, 1).bind() if settings.insight else None
    return gateway.bind(preprocessor, sink, controller, insight, local=args.local)


def _replicated(deployment: Any, replicas: int) -> Any:
    return deployment.options(num_replicas=replicas)
