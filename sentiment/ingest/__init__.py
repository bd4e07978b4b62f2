"""From a source to a platform: batches under way, a position that moves once they are answered, and what was counted.

Killed at any moment, the same ingest goes on where it was: ids make a repeated batch a retry.
"""

from __future__ import annotations

from sentiment.ingest.checkpoint import IngestCheckpoint, IngestState, ingests_folder, open_checkpoint, require_name
from sentiment.ingest.delivery import Delivery, HttpDelivery
from sentiment.ingest.opening import BLUESKY, NETWORK_KINDS, open_source
from sentiment.ingest.request import IngestRequest
from sentiment.ingest.runner import Ingest, IngestLimits
from sentiment.ingest.totals import IngestTotals

__all__ = [
    "BLUESKY",
    "NETWORK_KINDS",
    "Delivery",
    "HttpDelivery",
    "Ingest",
    "IngestCheckpoint",
    "IngestLimits",
    "IngestRequest",
    "IngestState",
    "IngestTotals",
    "ingests_folder",
    "open_checkpoint",
    "open_source",
    "require_name",
]
