"""The storage of checkpoints, a folder or S3 with any endpoint, and the names that runs may have in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from sentiment.errors import InvalidInput, NotFound, Unavailable
from sentiment.settings import Settings

_S3: Final = "s3://"
_PROBE: Final = ".undertone-probe"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def storage_of(place: str, settings: Settings) -> tuple[str, Any]:
    """Return a path and the pyarrow filesystem that it is on; None where Ray finds the filesystem by the path alone.

    With an S3 endpoint in the settings, the filesystem names the server and the path has no scheme.

    Raises:
        InvalidInput: it is neither a folder nor an s3:// address.
    """
    if not place.startswith(_S3):
        if "://" in place:
            raise InvalidInput(f"{place} cannot hold checkpoints: name a folder, or s3://BUCKET/PREFIX.", "storage")
        return str(Path(place).expanduser().absolute()), None
    if settings.s3_endpoint is None:
        return place, None
    return place.removeprefix(_S3), s3_at(settings.s3_endpoint)


def s3_at(endpoint: str | None) -> Any:
    """Return pyarrow's filesystem of the S3 server at `endpoint` (None: Amazon's), with the environment's keys."""
    from pyarrow.fs import S3FileSystem

    if endpoint is None:
        return S3FileSystem()
    scheme, _, host = endpoint.rpartition("://")
    return S3FileSystem(endpoint_override=host, scheme=scheme or "https")


def named_storage(place: str | None, settings: Settings) -> str | None:
    """Return `place` in one form: an absolute path, an s3:// address, or None for the folder of runs in home."""
    if place is None:
        return None
    if place.startswith(_S3):
        return place.rstrip("/")
    path = Path(place).expanduser().absolute()
    return None if path == runs_in(settings).absolute() else str(path)


def runs_in(settings: Settings) -> Path:
    """Return the folder in home where runs have their checkpoints by default."""
    return settings.home / "runs"


def require_storage(place: str, settings: Settings) -> None:
    """Check, before anything is trained, that checkpoints can be stored at `place`.

    Raises:
        InvalidInput: it is neither a folder that can be made nor an s3:// address.
        NotFound: there is no such bucket.
        Unavailable: the server does not answer, or refuses us.
    """
    path, filesystem = storage_of(place, settings)
    if place.startswith(_S3):
        _require_bucket(place, path, filesystem)
        return
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise InvalidInput(
            f"{place} cannot be written ({exc.strerror}): name another folder for --storage.", "storage"
        ) from exc


def require_run_name(name: str) -> None:
    """Raise InvalidInput unless `name` can name a run: it becomes part of paths and of S3 keys."""
    if not _NAME.fullmatch(name):
        rule = "letters, digits, dots, dashes and underscores, 128 at most, a letter or digit first"
        raise InvalidInput(f"{name!r} cannot name a run: use {rule}.", "name")


def _require_bucket(place: str, path: str, filesystem: Any) -> None:
    from pyarrow.fs import FileType

    key = path.removeprefix(_S3)
    bucket, server = key.partition("/")[0], filesystem or s3_at(None)
    try:
        is_there = server.get_file_info(bucket).type != FileType.NotFound
        if is_there:
            _try_out(server, key)
    except OSError as exc:
        raise Unavailable(
            f"{place} cannot be written: {exc}. Check UNDERTONE_S3_ENDPOINT and the keys (AWS_ACCESS_KEY_ID …), and "
            "that docs/training.md names this kind of server"
        ) from exc
    if not is_there:
        raise NotFound(f"{place}: there is no bucket {bucket!r}; create it, or name another.")


def _try_out(server: Any, key: str) -> None:
    """Write as Ray Train does: create the folder, then a multipart upload, which not every server supports."""
    server.create_dir(key)
    probe = f"{key.rstrip('/')}/{_PROBE}"
    with server.open_output_stream(probe) as stream:
        stream.write(b"Undertone was here.")
    server.delete_file(probe)
