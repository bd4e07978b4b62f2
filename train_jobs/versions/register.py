"""Check and register a version: a version folder, or the version that an MLflow run made.

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
from train_jobs.runtime.output import job_output
from train_jobs.runtime.tracking_server import tracking_server

_LOG = logging.getLogger(__name__)
_RUN: Final = re.compile(r"[0-9a-f]{32}")
_PASSED: Final = "passed"


def register(registry: Registry, source: str) -> RegisteredVersion:
    """Register the version in a folder, or the one that an MLflow run made; return its entry in the registry.

    Raises:
        InvalidInput: `source` is neither.
        ModelRejected: the files do not match the manifest, or the engine does not answer as recorded.
        NotFound: the server has no such run.
        RegistryUnavailable: the registry does not answer.
    """
    if Path(source).is_dir():
        return register_folder(registry, Path(source), "trained")
    if not _RUN.fullmatch(source):
        raise InvalidInput(
            f"{source!r} is neither a folder nor the id of a run: name a version's folder, or 32 hex digits.", "source"
        )
    with tempfile.TemporaryDirectory(prefix="undertone-register-") as folder:
        run_version = registry.download_run(source, Path(folder))
        return register_folder(registry, run_version.folder, "trained", run_version.lineage)


def register_folder(
    registry: ModelRegistry,
    folder: Path,
    origin: Origin,
    lineage: Lineage | None = None,
    gates: Mapping[str, str] | None = None,
) -> RegisteredVersion:
    """Register the version in `folder`; its manifest fills in what `lineage` does not say.

    `gates` are results of quality gates elsewhere: "passed", or the reason why not. The two gates that are checked
    here, `files` and `self_check`, are added.

    Raises:
        ModelRejected: the files do not match the manifest, or the engine does not answer as recorded.
        RegistryUnavailable: the registry does not answer.
    """
    version = _read(folder)
    Predictor.load(version, engine="auto")
    tags = Lineage.of(version.manifest.dataset).tags() | (lineage.tags() if lineage else {})
    passed = {"files": _PASSED, "self_check": _PASSED, **(gates or {})}
    number = registry.register(version, origin, {**tags, **gate_tags(passed)})
    _LOG.info("registered %s as %s version %d", folder, version.manifest.name, number)
    return find_version(registry, ModelRef(version.manifest.name, number))


def main(arguments: Sequence[str]) -> None:
    """Register as the command line asks; write one line of JSON to standard output."""
    parser = argparse.ArgumentParser(
        prog="python -m train_jobs.versions.register", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("source", help="a version's folder, or the id of an MLflow run")
    options = parser.parse_args(arguments)
    with job_output():
        with tracking_server(load_settings()) as uri:
            registered = register(Registry(uri), options.source)
        sys.stdout.write(json.dumps(asdict(registered)) + "\n")


def _read(folder: Path) -> Version:
    if not (folder / MANIFEST).is_file():
        raise ModelRejected(
            f"{folder} holds no {MANIFEST}, so it is not a version. `undertone models import {folder}` makes one from "
            "a Hugging Face model, `undertone train --register` from a training"
        )
    return read_version(folder)


if __name__ == "__main__":
    main(sys.argv[1:])
