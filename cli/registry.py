"""Which model registry a command talks to: the running platform's, the one that is set, or one started for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cli.extras import require_registry
from sentiment.registry import Registry
from sentiment.settings import Settings
from serve_app import launch


@contextmanager
def open_registry(settings: Settings) -> Iterator[Registry]:
    """Yield the registry of the platform that runs in home, of the server that is set, or of one started for this.

    Raises:
        InvalidInput: MLflow is not installed; the message names the line that does it.
    """
    require_registry()
    from train_jobs.tracking_server import tracking_server

    with tracking_server(with_registry(settings)) as uri:
        yield Registry(uri)


def with_registry(settings: Settings) -> Settings:
    """Return the settings with the MLflow server of the platform that runs in home, unless another is set."""
    if settings.tracking_uri:
        return settings
    state = launch.look(settings).state
    return settings.model_copy(update={"tracking_uri": state.addresses["MLflow"]}) if state else settings
