"""Logging of replicas: to Serve's own files, one for each replica."""

from __future__ import annotations

import logging
from typing import Final

_PACKAGES: Final = ("sentiment", "deployments", "serve_app")


def log_with_serve() -> None:
    """Send this project's log records, from INFO up, to Serve's file for this replica."""
    handlers = logging.getLogger("ray.serve").handlers
    for package in _PACKAGES:
        logger = logging.getLogger(package)
        logger.handlers = list(handlers)
        logger.setLevel(logging.INFO)
        logger.propagate = False
