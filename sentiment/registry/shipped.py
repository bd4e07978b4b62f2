"""The model that ships with the package, as a version of the registry."""

from __future__ import annotations

import logging
from pathlib import Path

from sentiment.registry.records import CHAMPION, ModelRegistry, RegisteredVersion, champion_of
from sentiment.version import read_version

logger = logging.getLogger(__name__)


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
    number = next((version.version for version in versions if version.digest == shipped.digest), None)
    is_new = number is None
    if number is None:
        number = registry.register(shipped, "shipped")
        logger.info("registered the shipped model as %s version %d", name, number)
    champion = champion_of(versions)
    if champion is None or (is_new and champion.origin == "shipped"):
        registry.set_alias(name, CHAMPION, number)
    return champion_of(registry.versions(name)) or registry.versions(name)[-1]
