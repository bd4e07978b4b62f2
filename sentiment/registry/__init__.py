"""The model registry: which versions there are, what is known of each, and which one is the champion.

MLflow stands behind one small class (`mlflow_registry`); a version's files are its artifacts, its tags tell what a
reader must know without fetching them. Nothing executable is ever stored: a version is logged without a flavour.
"""

from __future__ import annotations

from sentiment.registry.fetch import fetch_version
from sentiment.registry.lineage import Lineage, gate_tags
from sentiment.registry.mlflow_registry import Registry
from sentiment.registry.own_server import Server, not_own, server_at
from sentiment.registry.records import (
    ALIASES,
    CHALLENGER,
    CHAMPION,
    ModelRegistry,
    Origin,
    RegisteredVersion,
    champion_of,
    require_label_set,
)
from sentiment.registry.reference import (
    ModelRef,
    ResolvedModel,
    find_version,
    is_folder,
    parse_reference,
    resolve_model,
)
from sentiment.registry.search import VALIDATION, parse_query, search_versions
from sentiment.registry.shipped import sync_shipped

__all__ = [
    "ALIASES",
    "CHALLENGER",
    "CHAMPION",
    "VALIDATION",
    "Lineage",
    "ModelRef",
    "ModelRegistry",
    "Origin",
    "RegisteredVersion",
    "Registry",
    "ResolvedModel",
    "Server",
    "champion_of",
    "fetch_version",
    "find_version",
    "gate_tags",
    "is_folder",
    "not_own",
    "parse_query",
    "parse_reference",
    "require_label_set",
    "resolve_model",
    "search_versions",
    "server_at",
    "sync_shipped",
]
