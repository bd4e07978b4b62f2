"""Where runs keep their checkpoints: a folder, or S3 with any endpoint; and what a run may be called there."""

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
    """Return a path and the pyarrow filesystem that it is on, or None where Ray finds it by the path alone.

    An S3 server of one's own is told to pyarrow by its endpoint, and the path then goes without the scheme.

    Raises:
        InvalidInput: it is neither a folder nor an s3:// address.
    """
    if not place.startswith(_S3):
        if "://" in place:
            raise InvalidInput(f"{place} is no place for checkpoints: name a folder, or s3://BUCKET/PREFIX.", "storage")
        return str(Path(place).expanduser().absolute()), None
    if settings.s3_endpoint is None:
        return place, None
    return place.removeprefix(_S3), s3_at(settings.s3_endpoint)


def s3_at(endpoint: str | None) -> Any:
    """Return pyarrow's filesystem of the S3 server at `endpoint`, None for Amazon's; keys are the environment's."""
    from pyarrow.fs import S3FileSystem

    if endpoint is None:
        return S3FileSystem()
    scheme, _, host = endpoint.rpartition("://")
    return S3FileSystem(endpoint_override=host, scheme=scheme or "https")


def named_storage(place: str | None, settings: Settings) -> str | None:
    """Return `place` however it is written: a folder by its whole path, None for the runs' own folder in home."""
    if place is None:
        return None
    if place.startswith(_S3):
        return place.rstrip("/")
    path = Path(place).expanduser().absolute()
    return None if path == runs_in(settings).absolute() else str(path)


def runs_in(settings: Settings) -> Path:
    """Return where in home runs keep their checkpoints unless they are told of another place."""
    return settings.home / "runs"


def require_storage(place: str, settings: Settings) -> None:
    """Refuse a place that checkpoints could not be kept in, before anything is trained.

    Raises:
        InvalidInput: it is neither a folder that can be made nor an s3:// address.
        NotFound: there is no such bucket.
        Unavailable: the server is away, or refuses us.
    """
    path, filesystem = storage_of(place, settings)
    if place.startswith(_S3):
        _require_bucket(place, path, filesystem)
        return
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise InvalidInput(
            f"{place} cannot keep checkpoints ({exc.strerror}): name another folder.", "storage"
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
            f"{place} cannot be written: {exc}. Are UNDERTONE_S3_ENDPOINT and the keys (AWS_ACCESS_KEY_ID …) right, "
            "and is it a server that docs/training.md names?"
        ) from exc
    if not is_there:
        raise NotFound(f"{place}: there is no bucket {bucket!r}; make it, or name another.")


def _try_out(server: Any, key: str) -> None:
    """Do what Ray Train does: mark the folder, and upload in parts, which not every server takes."""
    server.create_dir(key)
    probe = f"{key.rstrip('/')}/{_PROBE}"
    with server.open_output_stream(probe) as stream:
        stream.write(b"Undertone was here.")
    server.delete_file(probe)
