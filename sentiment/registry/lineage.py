"""Where a version comes from and which gates it passed, as the tags that the registry keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

_GATE: Final = "gate."


@dataclass(frozen=True)
class Lineage:
    """What a version was made of. Empty is unknown.

    `dataset` is a reference such as "tweets@3" with its digest, `run_id` the MLflow run, `teacher` and `parent` are
    references of versions ("models:/sentiment/7").
    """

    dataset: str = ""
    dataset_digest: str = ""
    run_id: str = ""
    git_commit: str = ""
    teacher: str = ""
    parent: str = ""

    @classmethod
    def of(cls, dataset: Mapping[str, Any]) -> Self:
        """Read the lineage from a manifest's `dataset`: `ref`, `digest`, and the other fields under their own names."""
        source = {name: dataset.get(name) for name in ("run_id", "git_commit", "teacher", "parent")}
        fields_ = {**source, "dataset": dataset.get("ref"), "dataset_digest": dataset.get("digest")}
        return cls(**{name: str(value) for name, value in fields_.items() if value})

    def tags(self) -> dict[str, str]:
        """Return what is known, by tag."""
        return {name: value for name, value in asdict(self).items() if value}


def gate_tags(results: Mapping[str, str]) -> dict[str, str]:
    """Return results of gates ("passed", or why not) by gate, as tags."""
    return {f"{_GATE}{name}": result for name, result in results.items()}
