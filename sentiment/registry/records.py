"""What a registry lists, and what the platform asks of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Protocol

from sentiment.errors import Conflict
from sentiment.labels import LABEL_SETS
from sentiment.validation_messages import listed
from sentiment.version import Version

CHAMPION: Final = "champion"
CHALLENGER: Final = "challenger"
ALIASES: Final = (CHAMPION, CHALLENGER)

Origin = Literal["shipped", "trained", "imported"]


@dataclass(frozen=True)
class RegisteredVersion:
    """One version as the registry lists it.

    `digest` is that of its manifest, `metrics` are the manifest's numbers, `tags` all else that is known of it: lineage
    (`dataset`, `dataset_digest`, `run_id`, `git_commit`, `teacher`, `parent`) and results of gates (`gate.NAME`).
    """

    name: str
    version: int
    aliases: tuple[str, ...]
    digest: str
    labels: tuple[str, ...]
    origin: str
    created_at_ms: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


class ModelRegistry(Protocol):
    """What the platform asks of a registry; all methods block."""

    def versions(self, name: str) -> list[RegisteredVersion]:
        """Return the versions registered under `name`, oldest first; none if the name is unknown."""

    def register(self, version: Version, origin: Origin, tags: Mapping[str, str] | None = None) -> int:
        """Store the files of a version under its manifest's name and return its new number."""

    def tag(self, name: str, version: int, tags: Mapping[str, str]) -> None:
        """Set tags of a version, the others stay."""

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Let `alias` name `version`, and no other any more."""

    def remove_alias(self, name: str, alias: str) -> None:
        """Let `alias` name no version any more."""

    def download(self, name: str, version: int, target: Path) -> None:
        """Write the files of a version into the folder `target`, unverified."""


def champion_of(versions: Sequence[RegisteredVersion]) -> RegisteredVersion | None:
    """Return the version that bears the champion's alias."""
    return next((version for version in versions if CHAMPION in version.aliases), None)


def require_label_set(version: RegisteredVersion) -> None:
    """Raise Conflict unless `version` answers with the labels that its registered model stands for."""
    expected = LABEL_SETS.get(version.name)
    if expected is None:
        raise Conflict(
            f"{version.name!r} stands for no label set; the registered models are {listed(sorted(LABEL_SETS))}"
        )
    if version.labels != expected:
        raise Conflict(
            f"version {version.version} answers with {listed(version.labels)}; {version.name} stands for "
            f"{listed(expected)}: it can bear no alias there. Register it again from its folder, under its own label "
            "set's name"
        )
