"""Registered versions as tables: all of them, with their state on a platform if one answers, and all facts of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from sentiment.registry import RegisteredVersion

Does = Mapping[tuple[str, int], Mapping[str, Any]]


def versions_table(versions: Sequence[RegisteredVersion], does: Does) -> Table:
    """Return the versions, oldest first; `does` is what a platform does with each, empty where none answers."""
    now = ("State", "Traffic", "Replicas") if does else ()
    headings = ("Model", "Version", "Aliases", *now, "Origin", "Dataset", "Registered", "Digest")
    table = Table(*headings, box=None, padding=(0, 2, 0, 0))
    for version in versions:
        state_cells = _state_cells(does.get((version.name, version.version))) if does else ()
        cells = (", ".join(version.aliases), *state_cells, version.origin, version.tags.get("dataset", ""))
        row = (version.name, str(version.version), *cells, _time(version), version.digest[:12])
        table.add_row(*map(Text, row))  # as they are: a plain cell is read as markup
    return table


def problems(versions: Sequence[RegisteredVersion], does: Does) -> Iterator[str]:
    """Return why versions do not load, a line each."""
    for version in versions:
        why = does.get((version.name, version.version), {}).get("problem")
        if why:
            yield f"{version.name} version {version.version} {why}"


def facts_table(version: RegisteredVersion) -> Table:
    """Return all that the registry knows of a version."""
    facts = {
        "model": f"{version.name} version {version.version}",
        "aliases": ", ".join(version.aliases),
        "labels": ", ".join(version.labels),
        "origin": version.origin,
        "registered": _time(version),
        "digest": version.digest,
    }
    metrics = {f"metrics.{name}": _number(value) for name, value in sorted(version.metrics.items())}
    table = Table("", "", box=None, show_header=False, padding=(0, 2, 0, 0))
    for row in (*facts.items(), *sorted(version.tags.items()), *metrics.items()):
        table.add_row(*map(Text, row))
    return table


def _number(value: float) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _state_cells(does: Mapping[str, Any] | None) -> tuple[str, str, str]:
    """Return state, share of the traffic and replicas; a version that was registered just now is not listed yet."""
    return (does["state"], f"{does['weight']:.0%}", str(does["replicas"])) if does else ("registered", "0%", "0")


def _time(version: RegisteredVersion) -> str:
    return datetime.fromtimestamp(version.created_at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
