"""How a version is named on a command line: `8`, `champion`, `sentiment/8`, `models:/sentiment@champion`, a folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sentiment.errors import InvalidInput, NotFound
from sentiment.labels import LABEL_SETS
from sentiment.registry.fetch import fetch_version
from sentiment.registry.mlflow_registry import Registry
from sentiment.registry.records import ALIASES, ModelRegistry, RegisteredVersion
from sentiment.settings import Settings
from sentiment.version import read_version

_SCHEME: Final = "models:/"
_PATTERN: Final = re.compile(r"(?:(?P<name>[a-z][a-z-]*)[/@])?(?P<which>\d+|[a-z]+)")
_FORMS: Final = "8, champion, sentiment/8, models:/sentiment/8, models:/sentiment@champion"


@dataclass(frozen=True)
class ModelRef:
    """A version of the registered model `name`: its number, or the alias that it bears."""

    name: str
    which: int | str

    def __str__(self) -> str:
        return f"{_SCHEME}{self.name}{'/' if isinstance(self.which, int) else '@'}{self.which}"


@dataclass(frozen=True)
class ResolvedModel:
    """A verified version folder on this machine; `version` is None if it did not come from the registry."""

    folder: Path
    name: str
    digest: str
    version: int | None = None

    @property
    def ref(self) -> str:
        """What lineage calls it: its place in the registry, or the folder's digest."""
        return str(ModelRef(self.name, self.version)) if self.version else f"sha256:{self.digest}"


def parse_reference(text: str, name: str) -> ModelRef:
    """Read a reference; a bare number or alias is one of the registered model `name`.

    Raises:
        InvalidInput: it is no reference, or names a registered model or an alias that there is not.
    """
    match = _PATTERN.fullmatch(text.removeprefix(_SCHEME))
    if match is None:
        raise InvalidInput(
            f"{text!r} is not the name of a model version; write one of {_FORMS}, or a version's folder.", "model"
        )
    model, which = match["name"] or name, match["which"]
    if model not in LABEL_SETS:
        raise InvalidInput(f"{text!r}: there is no model {model!r}; there are {', '.join(LABEL_SETS)}.", "model")
    if not which.isdigit() and which not in ALIASES:
        raise InvalidInput(f"{text!r}: there is no alias {which!r}; there are {', '.join(ALIASES)}.", "model")
    return ModelRef(model, int(which) if which.isdigit() else which)


def find_version(registry: ModelRegistry, ref: ModelRef) -> RegisteredVersion:
    """Return the version that a reference names.

    Raises:
        NotFound: there is none; says which there are.
        RegistryUnavailable: the registry does not answer.
    """
    versions = registry.versions(ref.name)
    match = next(
        (version for version in versions if ref.which == version.version or ref.which in version.aliases), None
    )
    if match is None:
        raise NotFound(f"{ref.name} has no {_wanted(ref)}; it has {_there(versions)}")
    return match


def resolve_model(settings: Settings, text: str, registry: ModelRegistry | None = None) -> ResolvedModel:
    """Return the verified folder of the version that `text` names: a folder, or a reference into the registry.

    Raises:
        InvalidInput: it is neither.
        NotFound: the registry has no such version.
        ModelRejected: the files do not match their manifest.
        RegistryUnavailable: the registry does not answer.
    """
    if is_folder(text):
        version = read_version(Path(text))
        return ResolvedModel(version.folder, version.manifest.name, version.digest)
    source = registry or Registry.of(settings)
    registered = find_version(source, parse_reference(text, settings.model_name))
    folder = fetch_version(settings, registered.name, registered.version, registered.digest, source)
    return ResolvedModel(folder, registered.name, registered.digest, registered.version)


def is_folder(text: str) -> bool:
    """Say whether a reference names a folder: numbers, aliases and names with a scheme are the registry's."""
    return not text.startswith(_SCHEME) and not text.isdigit() and text not in ALIASES and Path(text).is_dir()


def _wanted(ref: ModelRef) -> str:
    return f"version {ref.which}" if isinstance(ref.which, int) else f"version with the alias {ref.which!r}"


def _there(versions: list[RegisteredVersion]) -> str:
    if not versions:
        return "none: register one with `undertone models register FOLDER`"
    return ", ".join(_shown(version) for version in versions)


def _shown(version: RegisteredVersion) -> str:
    return f"{version.version} ({', '.join(version.aliases)})" if version.aliases else str(version.version)
