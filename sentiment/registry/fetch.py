"""A version's files on this machine: downloaded once, verified, and kept under home."""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path
from typing import Protocol

from sentiment.errors import ModelRejected
from sentiment.registry.mlflow_registry import Registry
from sentiment.registry.records import ModelRegistry
from sentiment.settings import Settings
from sentiment.version import read_version

logger = logging.getLogger(__name__)


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
            logger.warning(
                "the cached copy of %s version %d is damaged and is downloaded again: %s", name, version, exc
            )
            shutil.rmtree(folder)
    source = registry or Registry.of(settings)
    return _keep(folder, digest, lambda draft: source.download(name, version, draft))


def _verified(folder: Path, digest: str) -> Path:
    actual = read_version(folder).digest
    if actual != digest:
        raise ModelRejected(f"{folder} holds the version {actual[:12]}, the registry says {digest[:12]}")
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
