"""The registry on MLflow: a version's files are artifacts of a logged model, its facts are tags."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from sentiment.access.logins import without_login
from sentiment.errors import ModelRejected, NotFound, RegistryUnavailable
from sentiment.registry.own_server import Server, not_own, server_at
from sentiment.registry.records import Origin, RegisteredVersion, require_label_set
from sentiment.registry.runs import RunVersion, download_run
from sentiment.registry.tracking import experiment_id, open_client
from sentiment.version import Version, read_version

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from sentiment.settings import Settings

_EXPERIMENT: Final = "undertone-models"
_PAGE: Final = 200
#: Tags that are fields of their own in RegisteredVersion.
_FIELDS: Final = frozenset({"digest", "origin", "labels", "metrics"})


class Registry:
    """The registry in an MLflow server at `uri`. Opening it touches nothing; MLflow is imported by the first call.

    With `own`, home's folder of MLflow, the server has to be home's own: one that was not named is not trusted.
    """

    def __init__(self, uri: str, own: Path | None = None) -> None:
        self._uri, self._own = uri, own
        self._opened: MlflowClient | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the registry that the settings name, or home's own."""
        return cls(settings.registry_uri, None if settings.tracking_uri else settings.home / "mlflow")

    def versions(self, name: str) -> list[RegisteredVersion]:
        """Return the versions registered under `name`, oldest first; none if the name is unknown.

        Versions that bear no digest were not registered by Undertone and are left out.

        Raises:
            RegistryUnavailable: the server does not answer, or answers with a fault of its own.
        """
        with self._translated():
            versions = list(self._search(name))
            if not versions:
                return []
            aliases = self._client.get_registered_model(name).aliases
        ours = [_registered(version, aliases) for version in versions if "digest" in version.tags]
        return sorted(ours, key=lambda version: version.version)

    def register(self, version: Version, origin: Origin, tags: Mapping[str, str] | None = None) -> int:
        """Store the files of a version under its manifest's name and return its new number.

        Raises:
            ModelRejected: the files are not (or no longer) those that the manifest vouches for.
            RegistryUnavailable: the server does not answer; what it took of the files is not a version.
        """
        require_unchanged(version)
        name = version.manifest.name
        with self._translated():
            model = self._client.create_logged_model(experiment_id(self._client, _EXPERIMENT), name=name)
            self._client.log_model_artifacts(model.model_id, str(version.folder))
            self._client.finalize_logged_model(model.model_id, "READY")
            self._create_name(name)
            source = f"models:/{model.model_id}"
            described = {**(tags or {}), **_tags(version, origin)}
            created = self._client.create_model_version(
                name, source, tags=described, model_id=model.model_id, await_creation_for=0
            )
        return int(created.version)

    def tag(self, name: str, version: int, tags: Mapping[str, str]) -> None:
        """Set tags of a version, the others stay.

        Raises:
            NotFound: there is no such version.
            RegistryUnavailable: the server does not answer.
        """
        with self._translated():
            for tag, value in tags.items():
                self._client.set_model_version_tag(name, str(version), tag, value)

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Let `alias` name `version`, and no other any more.

        Raises:
            NotFound: there is no such version.
            Conflict: it answers with other labels than `name` stands for.
            RegistryUnavailable: the server does not answer.
        """
        with self._translated():
            model_version = self._client.get_model_version(name, str(version))
            if "digest" in model_version.tags:
                require_label_set(_registered(model_version, {}))
            self._client.set_registered_model_alias(name, alias, str(version))

    def remove_alias(self, name: str, alias: str) -> None:
        """Let `alias` name no version any more.

        Raises:
            NotFound: no version bears it.
            RegistryUnavailable: the server does not answer.
        """
        with self._translated():
            if alias not in self._client.get_registered_model(name).aliases:
                raise NotFound(f"no version of {name} bears the alias {alias!r}")
            self._client.delete_registered_model_alias(name, alias)

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

    def download_run(self, run_id: str, target: Path) -> RunVersion:
        """Download the version that an MLflow run made into the folder `target`, unverified.

        Raises:
            NotFound: there is no such run, or it made no version.
            RegistryUnavailable: the server does not answer.
        """
        with self._translated():
            return download_run(self._client, self._uri, run_id, target)

    @property
    def _client(self) -> MlflowClient:
        if self._opened is None:
            if self._own and server_at(self._uri, self._own) is Server.ANOTHERS:
                raise RegistryUnavailable(not_own(self._uri))
            self._opened = open_client(self._uri)
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
        where = without_login(self._uri)
        return f"the model registry at {where} does not answer ({type(exc).__name__}); check that its server runs"

    def _search(self, name: str) -> Iterator[Any]:
        token: str | None = None
        while True:
            page = self._client.search_model_versions(f"name = '{name}'", max_results=_PAGE, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _create_name(self, name: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(name)
        except MlflowException as exc:
            if exc.error_code != "RESOURCE_ALREADY_EXISTS":
                raise


def require_unchanged(version: Version) -> None:
    """Raise ModelRejected unless the files in the version's folder still are those that it was read with."""
    actual = read_version(version.folder).digest
    if actual != version.digest:
        raise ModelRejected(
            f"{version.folder} was version {version.digest[:12]} when it was read and is {actual[:12]} now: "
            "something writes into it; register a copy that is left alone"
        )


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
        tags={tag: value for tag, value in version.tags.items() if tag not in _FIELDS},
    )
