"""The folder of code that is sent to a cluster with a job, without the files that hold secrets."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

from sentiment.environment import secret_paths
from sentiment.errors import InvalidSettings
from sentiment.settings import FILE, PREFIX, SECRETS, Settings

#: Files in home that are never sent: keys and tokens, the database with the texts, the journal and the logs.
_OF_HOME: Final = ("secret", "ray_token", "undertone.db", "undertone.db-wal", "undertone.db-shm", "journal", "logs")


def sent_folder(working_dir: str, settings: Settings) -> dict[str, Any]:
    """Return the fields of Ray's `runtime_env` that send `working_dir`, except for secrets in it.

    Raises:
        InvalidSettings: its `undertone.toml`, which the job is to read, holds a secret.
    """
    if "://" in working_dir:
        return {"working_dir": working_dir}
    folder = Path(working_dir).expanduser().resolve()
    _refuse_secrets(folder / FILE)
    private = [*(settings.home / name for name in _OF_HOME), *secret_paths()]
    within = [path.resolve().relative_to(folder) for path in private if path.resolve().is_relative_to(folder)]
    excluded = [f"/{path.as_posix()}" for path in within]
    return {"working_dir": str(folder), **({"excludes": excluded} if excluded else {})}


def _refuse_secrets(file: Path) -> None:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # no such file, or one that the job itself will refuse
        return
    secrets = sorted(name for name in content if name.lower().removeprefix(PREFIX.lower()) in SECRETS)
    if secrets:
        variable = PREFIX + secrets[0].upper().removeprefix(PREFIX)
        raise InvalidSettings(
            f"{secrets[0]} is set in {file}, which would be sent along with the job; everybody who may open the "
            f"cluster's dashboard could read it. Remove it there, and start the cluster with {variable} in its "
            "environment.",
            variable,
        )
