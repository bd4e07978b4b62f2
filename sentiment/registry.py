"""The model registry: which versions there are and which one is the champion. MLflow behind one small class.

A version's files are its artifacts; its tags tell what a reader must know without fetching them. Nothing executable is
ever stored: a version is logged without a flavour.
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from sentiment.errors import ModelRejected, NotFound, RegistryUnavailable
from sentiment.settings import Settings
from sentiment.version import Version, read_version

if TYPE_CHECKING:
    from mlflow import MlflowClient

logger = logging.getLogger(__name__)

CHAMPION: Final = "champion"
Origin = Literal["shipped", "trained", "imported"]

_EXPERIMENT: Final = "undertone-models"
_PAGE: Final = 200
_RETRIES: Final = 2
_TIMEOUT_S: Final = 10


@dataclass(frozen=True)
class RegisteredVersion:
    """One version as the registry lists it. `digest` is that of its manifest; `metrics` are the manifest's numbers."""

    name: str
    version: int
    aliases: tuple[str, ...]
    digest: str
    labels: tuple[str, ...]
    origin: str
    created_at_ms: int
    metrics: Mapping[str, float] = field(default_factory=dict)


class ModelRegistry(Protocol):
    """What the platform asks of a registry; all methods block."""

    def versions(self, name: str) -> list[RegisteredVersion]:
        """Return the versions registered under `name`, oldest first; none if the name is unknown."""

    def register(self, version: Version, origin: Origin) -> int:
        """Store the files of a verified version under its manifest's name and return its new number."""

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Let `alias` name `version`, and no other any more."""

    def download(self, name: str, version: int, target: Path) -> None:
        """Write the files of a version into the folder `target`, unverified."""


class Registry:
    """The registry in an MLflow server at `uri`. Opening it touches nothing; MLflow is imported by the first call."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._opened: MlflowClient | None = None

    def versions(self, name: str) -> list[RegisteredVersion]:
        """Return the versions registered under `name`, oldest first; none if the name is unknown.

        Versions that bear no digest were not registered by Undertone and are left out.

        Raises:
            RegistryUnavailable: the server does not answer, or answers with a fault of its own.
        """
        with self._translated():
            found = list(self._search(name))
            if not found:
                return []
            aliases = self._client.get_registered_model(name).aliases
        ours = [_registered(version, aliases) for version in found if "digest" in version.tags]
        return sorted(ours, key=lambda version: version.version)

    def register(self, version: Version, origin: Origin) -> int:
        """Store the files of a verified version under its manifest's name and return its new number.

        Raises:
            RegistryUnavailable: the server does not answer; what it took of the files is not a version.
        """
        name = version.manifest.name
        with self._translated():
            model = self._client.create_logged_model(self._experiment(), name=name)
            self._client.log_model_artifacts(model.model_id, str(version.folder))
            self._client.finalize_logged_model(model.model_id, "READY")
            self._create_name(name)
            source = f"models:/{model.model_id}"
            tags = _tags(version, origin)
            created = self._client.create_model_version(name, source, tags=tags, model_id=model.model_id)
        return int(created.version)

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Let `alias` name `version`, and no other any more.

        Raises:
            NotFound: there is no such version.
            RegistryUnavailable: the server does not answer.
        """
        with self._translated():
            self._client.set_registered_model_alias(name, alias, str(version))

    def download(self, name: str, version: int, target: Path) -> None:
        """Write the files of a version into the folder `target`, unverified.

        Raises:
            NotFound: there is no such version.
            RegistryUnavailable: the server does not answer.
        """
        from mlflow.artifacts import download_artifacts

        with self._translated():
            # MLflow would look `models:/…` up in the process's own default server, not in this one.
            model_id = self._client.get_model_version(name, str(version)).source.removeprefix("models:/")
            location = self._client.get_logged_model(model_id).artifact_location
            fetched = Path(download_artifacts(location, dst_path=str(target), tracking_uri=self._uri))
            for file in list(fetched.iterdir()):  # MLflow puts them into a folder of its own below the target
                file.rename(target / file.name)
            fetched.rmdir()

    @property
    def _client(self) -> MlflowClient:
        if self._opened is None:
            self._opened = _open_client(self._uri)
        return self._opened

    @contextmanager
    def _translated(self) -> Iterator[None]:
        from mlflow.exceptions import MlflowException
        from requests import RequestException

        try:
            yield
        except MlflowException as exc:
            if exc.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise NotFound(f"the registry does not know it: {exc.message}") from exc
            raise RegistryUnavailable(self._away(exc)) from exc
        except (RequestException, OSError) as exc:
            raise RegistryUnavailable(self._away(exc)) from exc

    def _away(self, exc: Exception) -> str:
        where = self._uri.rpartition("@")[2]  # an address may hold a password
        return f"the model registry at {where} does not answer ({type(exc).__name__}); is its server up?"

    def _search(self, name: str) -> Iterator[Any]:
        token: str | None = None
        while True:
            page = self._client.search_model_versions(f"name = '{name}'", max_results=_PAGE, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _experiment(self) -> str:
        found = self._client.get_experiment_by_name(_EXPERIMENT)
        return str(found.experiment_id if found else self._client.create_experiment(_EXPERIMENT))

    def _create_name(self, name: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(name)
        except MlflowException as exc:
            if exc.error_code != "RESOURCE_ALREADY_EXISTS":
                raise


def champion_of(versions: list[RegisteredVersion]) -> RegisteredVersion | None:
    """Return the version that bears the champion's alias."""
    return next((version for version in versions if CHAMPION in version.aliases), None)


def fetch_version(
    settings: Settings, name: str, version: int, digest: str, registry: ModelRegistry | None = None
) -> Path:
    """Return the folder of a version on this machine, verified; it is downloaded once and then kept under home.

    Raises:
        ModelRejected: the files do not match `digest`, or cannot be served.
        NotFound: the registry does not know the version.
        RegistryUnavailable: it is not on this machine yet, and the registry does not answer.
    """
    folder = settings.home / "models" / name / f"{version}-{digest[:12]}"
    if folder.is_dir():
        try:
            return _verified(folder, digest)
        except ModelRejected as exc:
            logger.warning("the kept copy of %s version %d is damaged and is fetched again: %s", name, version, exc)
            shutil.rmtree(folder)
    source = registry or Registry(settings.registry_uri)
    return _keep(folder, digest, lambda draft: source.download(name, version, draft))


def sync_shipped(registry: ModelRegistry, folder: Path) -> RegisteredVersion:
    """Register the shipped model as the next version unless its digest is registered, and return the champion.

    The champion moves to it only from nothing or from an older shipped one: a choice of the user's stands.

    Raises:
        ModelRejected: the shipped files are damaged.
        RegistryUnavailable: the registry does not answer.
    """
    shipped = read_version(folder)
    name = shipped.manifest.name
    versions = registry.versions(name)
    number = next((known.version for known in versions if known.digest == shipped.digest), None)
    is_new = number is None
    if number is None:
        number = registry.register(shipped, "shipped")
        logger.info("registered the shipped model as %s version %d", name, number)
    champion = champion_of(versions)
    if champion is None or (is_new and champion.origin == "shipped"):
        registry.set_alias(name, CHAMPION, number)
    return champion_of(registry.versions(name)) or registry.versions(name)[-1]


def _open_client(uri: str) -> MlflowClient:
    from mlflow import MlflowClient
    from mlflow import environment_variables as variables

    # The defaults wait for minutes on a server that is away, and draw bars on the terminal.
    defaults = {
        variables.MLFLOW_HTTP_REQUEST_MAX_RETRIES: _RETRIES,
        variables.MLFLOW_HTTP_REQUEST_TIMEOUT: _TIMEOUT_S,
        variables.MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR: False,
    }
    for variable, value in defaults.items():
        if not variable.is_set():
            variable.set(value)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _tags(version: Version, origin: Origin) -> dict[str, str]:
    manifest = version.manifest
    numbers = {name: value for name, value in manifest.metrics.items() if isinstance(value, int | float)}
    return {
        "digest": version.digest,
        "origin": origin,
        "labels": json.dumps(manifest.labels),
        "metrics": json.dumps(numbers),
    }


def _registered(version: Any, aliases: Mapping[str, str]) -> RegisteredVersion:
    number = int(version.version)
    return RegisteredVersion(
        name=version.name,
        version=number,
        aliases=tuple(sorted(alias for alias, named in aliases.items() if int(named) == number)),
        digest=version.tags["digest"],
        labels=tuple(json.loads(version.tags.get("labels", "[]"))),
        origin=version.tags.get("origin", "imported"),
        created_at_ms=int(version.creation_timestamp),
        metrics=json.loads(version.tags.get("metrics", "{}")),
    )


def _verified(folder: Path, digest: str) -> Path:
    found = read_version(folder).digest
    if found != digest:
        raise ModelRejected(f"{folder} holds the version {found[:12]}, the registry says {digest[:12]}")
    return folder


class _Download(Protocol):
    def __call__(self, draft: Path) -> None: ...


def _keep(folder: Path, digest: str, download: _Download) -> Path:
    """Fill `folder` at one stroke: another process sees all of it or nothing."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder.parent))
    try:
        download(draft)
        _verified(draft, digest)
        draft.rename(folder)
    except OSError:
        if not folder.is_dir():  # else another process was first: its copy is as good
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder
