"""Secret settings in files, which variables such as `UNDERTONE_SECRET_FILE` name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sentiment.errors import InvalidSettings


def file_variable(field: str) -> str:
    """Return the variable that names the file of a secret setting."""
    return f"UNDERTONE_{field.upper()}_FILE"


def files_of(fields: Sequence[str], environment: Mapping[str, str]) -> dict[str, Path]:
    """Return the files that the environment names for secret settings, by field."""
    named = ((field, environment.get(file_variable(field))) for field in fields)
    return {field: Path(path) for field, path in named if path}


def from_files(fields: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the secret settings from their files, by field, without the line's end.

    Raises:
        InvalidSettings: a file cannot be read, is empty or not text, or its setting is set directly as well.
    """
    files = files_of(fields, environment)
    for field in files:
        own = file_variable(field).removesuffix("_FILE")
        if environment.get(own):
            raise InvalidSettings(f"{own} and {own}_FILE are both set: leave one of them out.", f"{own}_FILE")
    return {field: _read(field, path) for field, path in files.items()}


def _read(field: str, path: Path) -> str:
    variable = file_variable(field)
    remedy = f"Name a file that holds nothing but {variable.removesuffix('_FILE')}."
    try:
        content = path.expanduser().read_text(encoding="utf-8").strip("\r\n")
    except (OSError, ValueError, RuntimeError) as exc:
        reason = getattr(exc, "strerror", None) or "not UTF-8 text, or not a path"
        raise InvalidSettings(f"{variable}: {path} cannot be read ({reason}). {remedy}", variable) from exc
    if not content.strip():
        raise InvalidSettings(f"{variable}: {path} is empty. {remedy}", variable)
    return content


def lacking(field: str) -> InvalidSettings:
    """Return the error on a node that lacks a secret setting with which the platform was started."""
    variable = file_variable(field).removesuffix("_FILE")
    return InvalidSettings(
        f"{variable} is not set on this node, but the platform was started with it. Secrets are not sent through Ray: "
        f"set {variable}, or {file_variable(field)} to the name of a file, for `ray start` on every node.",
        variable,
    )
