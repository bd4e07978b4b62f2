"""What a job of evaluation writes: its log, a summary, and a last line that the command which follows it reads."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from typing import Any

from sentiment.errors import UndertoneError
from train_jobs.job import FAILURE, OUTCOME


def run_as_job(work: Callable[[], dict[str, Any]]) -> None:
    """Do the work; write the `summary` of its outcome and the outcome, or one line that says why there is none."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        outcome = work()
    except UndertoneError as exc:
        sys.stdout.write(f"{FAILURE}{exc}\n")
        sys.exit(1)
    sys.stdout.write(f"{outcome['summary']}\n\n{OUTCOME}{json.dumps(outcome)}\n")
