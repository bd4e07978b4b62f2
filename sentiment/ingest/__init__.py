"""From a source to a platform: batches under way, a position that moves once they are answered, and what was counted.

Killed at any moment, the same ingest goes on where it was: ids make a repeated batch a retry.
"""

from __future__ import annotations

from sentiment.ingest.checkpoint import Checkpoint, IngestState, open_checkpoint, require_name
from sentiment.ingest.delivery import Delivery, HttpDelivery
from sentiment.ingest.runner import Ingest, Limits
from sentiment.ingest.totals import Totals

__all__ = [
    "Checkpoint",
    "Delivery",
    "HttpDelivery",
    "Ingest",
    "IngestState",
    "Limits",
    "Totals",
    "open_checkpoint",
    "require_name",
]
