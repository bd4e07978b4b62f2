"""Chooses the model registry of a command: the running platform's, the one in the settings, or one started for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.extras import require_registry
from sentiment.errors import InvalidSettings, RegistryUnavailable
from sentiment.registry import Registry, Server, not_own, server_at
from sentiment.settings import Settings
from serve_app.supervisor import launch
from serve_app.supervisor.state import PlatformState


@contextmanager
def open_registry(settings: Settings) -> Iterator[Registry]:
    """Yield the registry of the platform that runs in home, of the server that is set, or of one started for this.

    Raises:
        InvalidInput: MLflow is not installed; the message names the line that does it.
    """
    require_registry()
    from train_jobs.runtime.tracking_server import tracking_server

    with tracking_server(with_registry(settings)) as uri:
        yield Registry(uri)


def with_registry(settings: Settings) -> Settings:
    """Return the settings with the MLflow server of the platform that runs in home, unless another is set.

    Raises:
        RegistryUnavailable: the platform's own server does not answer, or not yet.
        InvalidSettings: the platform was started with a server that wants a login, which only its supervisor knows.
    """
    if settings.tracking_uri:
        return settings
    status = launch.read_status(settings)
    if status.state is None or not status.supervised:  # the state file of a platform that has ended counts for nothing
        return settings
    return settings.model_copy(update={"tracking_uri": _server_of(status.state, settings.home)})


def _server_of(state: PlatformState, home: Path) -> str:
    uri = state.addresses["MLflow"]
    if state.registry_login:
        raise InvalidSettings(
            f"The platform in {home} was started with the MLflow server at {uri} with a login, which is not kept: set "
            "UNDERTONE_TRACKING_URI to its address for this command, too.",
            "UNDERTONE_TRACKING_URI",
        )
    is_own = "tracking_uri" not in state.settings
    server = server_at(uri, home / "mlflow") if is_own else Server.OWN
    if server is Server.ANOTHERS:
        raise RegistryUnavailable(f"The MLflow server of the platform in {home} is down. {not_own(uri)}")
    if server is Server.SILENT:
        raise RegistryUnavailable(
            f"The MLflow server of the platform in {home} does not answer at {uri}; the platform is {state.phase}: "
            "see undertone status, and try again once that says healthy."
        )
    return uri
