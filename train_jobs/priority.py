"""Jobs give way to what serves on the same machine."""

from __future__ import annotations

import os
from typing import Final

#: As Ray's own for workers; a local platform switches that off, so that its replicas are not served last.
NICENESS: Final = 15


def give_way() -> None:
    """Let this thread, and those that it starts, have the cores that nothing of ordinary priority wants."""
    os.nice(max(0, NICENESS - os.nice(0)))
