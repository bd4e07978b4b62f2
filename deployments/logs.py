"""Where replicas log: in Serve's own files, one a replica."""

from __future__ import annotations

import logging
from typing import Final

_PACKAGES: Final = ("sentiment", "deployments", "serve_app")


def log_with_serve() -> None:
    """Send what this project's modules log, from INFO up, to the files that Serve keeps for this replica."""
    handlers = logging.getLogger("ray.serve").handlers
    for package in _PACKAGES:
        logger = logging.getLogger(package)
        logger.handlers = list(handlers)
        logger.setLevel(logging.INFO)
        logger.propagate = False
