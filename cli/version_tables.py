"""Registered versions as tables: all of them, with what each does where a platform says so, and all facts of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.markup import escape
from rich.table import Table

from sentiment.registry import RegisteredVersion

Does = Mapping[tuple[str, int], Mapping[str, Any]]


def versions_table(versions: Sequence[RegisteredVersion], does: Does) -> Table:
    """Return the versions, oldest first; `does` is what a platform does with each, empty where none answers."""
    now = ("State", "Traffic", "Replicas") if does else ()
    headings = ("Model", "Version", "Aliases", *now, "Origin", "Dataset", "Registered", "Digest")
    table = Table(*headings, box=None, padding=(0, 2, 0, 0))
    for version in versions:
        told = _told(does.get((version.name, version.version))) if does else ()
        cells = (", ".join(version.aliases), *told, version.origin, version.tags.get("dataset", ""))
        table.add_row(version.name, str(version.version), *cells, _time(version), version.digest[:12])
    return table


def problems(versions: Sequence[RegisteredVersion], does: Does) -> Iterator[str]:
    """Return why versions do not load, a line each."""
    for version in versions:
        why = does.get((version.name, version.version), {}).get("problem")
        if why:
            yield f"{version.name} version {version.version} {why}"


def facts_table(version: RegisteredVersion) -> Table:
    """Return all that the registry knows of a version."""
    table = Table("", "", box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_row("model", f"{version.name} version {version.version}")
    table.add_row("aliases", ", ".join(version.aliases))
    table.add_row("labels", ", ".join(version.labels))
    table.add_row("origin", version.origin)
    table.add_row("registered", _time(version))
    table.add_row("digest", version.digest)
    for tag, value in sorted(version.tags.items()):
        table.add_row(tag, escape(value))
    for metric, number in sorted(version.metrics.items()):
        table.add_row(f"metrics.{metric}", f"{number:.4f}" if isinstance(number, float) else str(number))
    return table


def _told(does: Mapping[str, Any] | None) -> tuple[str, str, str]:
    """Return state, share of the traffic and replicas; a version that was registered just now is not listed yet."""
    return (does["state"], f"{does['weight']:.0%}", str(does["replicas"])) if does else ("registered", "0%", "0")


def _time(version: RegisteredVersion) -> str:
    return datetime.fromtimestamp(version.created_at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
