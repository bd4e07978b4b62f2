"""Where runs keep their checkpoints: a folder, or S3 with any endpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from sentiment.settings import Settings

_S3: Final = "s3://"


def storage_of(place: str, settings: Settings) -> tuple[str, Any]:
    """Return a path and the pyarrow filesystem that it is on, or None where Ray finds it by the path alone.

    An S3 server of one's own is told to pyarrow by its endpoint, and the path then goes without the scheme.
    """
    if not place.startswith(_S3):
        return str(Path(place).expanduser().absolute()), None
    if settings.s3_endpoint is None:
        return place, None
    from pyarrow.fs import S3FileSystem

    scheme, _, host = settings.s3_endpoint.rpartition("://")
    return place.removeprefix(_S3), S3FileSystem(endpoint_override=host, scheme=scheme or "https")
