"""Register a version: a folder, or what an MLflow run made. Checked before the registry takes it.

python -m train_jobs.versions.register build/default-model/full
python -m train_jobs.versions.register 3f2b8c1d9e0a4b5c8d7e6f5a4b3c2d1e
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from sentiment.errors import InvalidInput, ModelRejected
from sentiment.predictor import Predictor
from sentiment.registry import (
    Lineage,
    ModelRef,
    ModelRegistry,
    Origin,
    RegisteredVersion,
    Registry,
    find_version,
    gate_tags,
)
from sentiment.settings import load_settings
from sentiment.version import MANIFEST, Version, read_version
from train_jobs.runtime.output import told
from train_jobs.runtime.tracking_server import tracking_server

_LOG = logging.getLogger(__name__)
_RUN: Final = re.compile(r"[0-9a-f]{32}")
_PASSED: Final = "passed"


def register(registry: Registry, source: str) -> RegisteredVersion:
    """Register the version in a folder, or the one that an MLflow run made, and return what the registry lists.

    Raises:
        InvalidInput: it is neither.
        ModelRejected: the files are not the manifest's, or the engine does not answer as recorded.
        NotFound: the server has no such run.
        RegistryUnavailable: the registry does not answer.
    """
    if Path(source).is_dir():
        return register_folder(registry, Path(source), "trained")
    if not _RUN.fullmatch(source):
        raise InvalidInput(f"{source!r} is no folder, and no id of a run (32 hex digits).", "source")
    with tempfile.TemporaryDirectory(prefix="undertone-register-") as folder:
        found = registry.download_run(source, Path(folder))
        return register_folder(registry, found.folder, "trained", found.lineage)


def register_folder(
    registry: ModelRegistry,
    folder: Path,
    origin: Origin,
    lineage: Lineage | None = None,
    gates: Mapping[str, str] | None = None,
) -> RegisteredVersion:
    """Register the version in `folder`; what `lineage` leaves open is read from its manifest.

    `gates` are results of gates that it passed or failed elsewhere ("passed", or why not); the two that every version
    passes here, `files` and `self_check`, are added.

    Raises:
        ModelRejected: the files are not the manifest's, or the engine does not answer as recorded.
        RegistryUnavailable: the registry does not answer.
    """
    version = _read(folder)
    Predictor.load(version, engine="auto")
    known = Lineage.of(version.manifest.dataset).tags() | (lineage.tags() if lineage else {})
    passed = {"files": _PASSED, "self_check": _PASSED, **(gates or {})}
    number = registry.register(version, origin, {**known, **gate_tags(passed)})
    _LOG.info("registered %s as %s version %d", folder, version.manifest.name, number)
    return find_version(registry, ModelRef(version.manifest.name, number))


def main(arguments: Sequence[str]) -> None:
    """Register what the command line names; write one line of JSON to standard output."""
    parser = argparse.ArgumentParser(
        prog="python -m train_jobs.versions.register", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("source", help="a version's folder, or the id of an MLflow run")
    options = parser.parse_args(arguments)
    with told():
        with tracking_server(load_settings()) as uri:
            registered = register(Registry(uri), options.source)
        sys.stdout.write(json.dumps(asdict(registered)) + "\n")


def _read(folder: Path) -> Version:
    if not (folder / MANIFEST).is_file():
        raise ModelRejected(
            f"{folder} holds no {MANIFEST}: it is no version. `undertone models import {folder}` makes one of a "
            "Hugging Face model, `undertone train --register` of a run"
        )
    return read_version(folder)


if __name__ == "__main__":
    main(sys.argv[1:])
