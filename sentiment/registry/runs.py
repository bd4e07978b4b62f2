"""What a training's MLflow run left: a version folder among the artifacts, lineage among tags and parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sentiment.errors import NotFound
from sentiment.registry.lineage import Lineage
from sentiment.version import MANIFEST

if TYPE_CHECKING:
    from mlflow import MlflowClient

#: Where a run says each part of the lineage: the first of these tags and parameters that it has.
_SOURCES: Final[Mapping[str, tuple[str, ...]]] = {
    "dataset": ("dataset", "data"),
    "dataset_digest": ("dataset_digest",),
    "git_commit": ("git_commit", "mlflow.source.git.commit"),
    "teacher": ("teacher", "distill.teacher"),
    "parent": ("parent",),
}


@dataclass(frozen=True)
class RunVersion:
    """A version that a run made, downloaded into `folder` and not yet verified, and where it comes from."""

    folder: Path
    lineage: Lineage


def download_run(client: MlflowClient, uri: str, run_id: str, target: Path) -> RunVersion:
    """Download the version folder among a run's artifacts into the folder `target`.

    Raises:
        NotFound: the run made no version.
    """
    from mlflow.artifacts import download_artifacts

    run = client.get_run(run_id)
    place = next(_version_places(client, run_id), None)
    if place is None:
        raise NotFound(f"run {run_id} holds no version folder (no {MANIFEST}); `undertone train --register` makes one")
    location = f"{run.info.artifact_uri}/{place}" if place else run.info.artifact_uri
    folder = Path(download_artifacts(location, dst_path=str(target), tracking_uri=uri))
    return RunVersion(folder, _lineage({**run.data.params, **run.data.tags}, run_id))


def _version_places(client: MlflowClient, run_id: str) -> Iterator[str]:
    """Yield the artifact folders, the root first, that hold a manifest."""
    waiting: list[str] = [""]
    while waiting:
        place = waiting.pop(0)
        entries = client.list_artifacts(run_id, place or None)
        if any(Path(entry.path).name == MANIFEST for entry in entries):
            yield place
        waiting += [entry.path for entry in entries if entry.is_dir]


def _lineage(tags: Mapping[str, str], run_id: str) -> Lineage:
    fields_ = {part: next((tags[name] for name in names if tags.get(name)), "") for part, names in _SOURCES.items()}
    return Lineage(run_id=run_id, **fields_)
