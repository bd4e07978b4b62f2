"""A model registry in memory: keeps the contract of the one on MLflow (tests/contract/test_registry.py)."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from sentiment.errors import NotFound
from sentiment.registry import Origin, RegisteredVersion, require_label_set
from sentiment.registry.mlflow_registry import require_unchanged
from sentiment.version import Version


class FakeRegistry:
    """Keeps versions in a list and their files in a folder."""

    def __init__(self) -> None:
        self._versions: list[RegisteredVersion] = []
        self._files = Path(tempfile.mkdtemp())
        self.downloads = 0

    def versions(self, name: str) -> list[RegisteredVersion]:
        return [version for version in self._versions if version.name == name]

    def register(self, version: Version, origin: Origin, tags: Mapping[str, str] | None = None) -> int:
        require_unchanged(version)
        name, manifest = version.manifest.name, version.manifest
        number = len(self.versions(name)) + 1
        shutil.copytree(version.folder, self._files / f"{name}-{number}")
        metrics = {key: value for key, value in manifest.metrics.items() if isinstance(value, int | float)}
        registered = RegisteredVersion(
            name, number, (), version.digest, manifest.labels, origin, number, metrics, dict(tags or {})
        )
        self._versions.append(registered)
        return number

    def tag(self, name: str, version: int, tags: Mapping[str, str]) -> None:
        known = self._known(name, version)
        place = self._versions.index(known)
        self._versions[place] = dataclasses.replace(known, tags={**known.tags, **tags})

    def set_alias(self, name: str, alias: str, version: int) -> None:
        require_label_set(self._known(name, version))
        self._versions = [
            _with_alias(known, alias, version) if known.name == name else known for known in self._versions
        ]

    def remove_alias(self, name: str, alias: str) -> None:
        if not any(alias in known.aliases for known in self.versions(name)):
            raise NotFound(f"no version of {name} bears the alias {alias!r}")
        self._versions = [_with_alias(known, alias, 0) if known.name == name else known for known in self._versions]

    def download(self, name: str, version: int, target: Path) -> None:
        self._known(name, version)
        self.downloads += 1
        shutil.copytree(self._files / f"{name}-{version}", target, dirs_exist_ok=True)

    def close(self) -> None:
        shutil.rmtree(self._files)

    def _known(self, name: str, version: int) -> RegisteredVersion:
        found = next((known for known in self.versions(name) if known.version == version), None)
        if found is None:
            raise NotFound(f"there is no version {version} of {name}")
        return found


def _with_alias(known: RegisteredVersion, alias: str, version: int) -> RegisteredVersion:
    aliases = set(known.aliases) - {alias} | ({alias} if known.version == version else set())
    return dataclasses.replace(known, aliases=tuple(sorted(aliases)))
