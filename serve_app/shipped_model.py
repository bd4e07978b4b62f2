"""Registers the model that ships with the package, unless the registry has it, and keeps a verified copy in home.

    python -m serve_app.shipped_model

The supervisor runs it at each start, as a separate process, so that MLflow's memory is freed.
"""

from __future__ import annotations

import logging
import sys
from importlib.resources import as_file, files
from pathlib import Path

from sentiment.errors import UndertoneError
from sentiment.registry import Registry, fetch_version, sync_shipped
from sentiment.settings import Settings, load_settings

logger = logging.getLogger(__name__)


def main() -> int:
    """Register the shipped model; return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    settings = load_settings()
    with as_file(files("sentiment") / "shipped" / settings.model_name) as folder:
        if not folder.is_dir():
            logger.info(
                "no model named %s ships with the package; waiting for a champion in the registry", settings.model_name
            )
            return 0
        return _register(settings, folder)


def _register(settings: Settings, folder: Path) -> int:
    try:
        champion = sync_shipped(Registry.of(settings), folder)
        fetch_version(settings, champion.name, champion.version, champion.digest)
    except UndertoneError as exc:
        logger.error("%s", exc)
        return 1
    logger.info("%s version %d is the champion", champion.name, champion.version)
    return 0


if __name__ == "__main__":
    sys.exit(main())
