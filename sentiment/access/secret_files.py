"""Secret settings that stand in files, which `UNDERTONE_SECRET_FILE` and its like name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sentiment.errors import InvalidSettings


def file_variable(field: str) -> str:
    """Return the variable that names the file of a secret setting."""
    return f"UNDERTONE_{field.upper()}_FILE"


def files_of(fields: Sequence[str], environment: Mapping[str, str]) -> dict[str, Path]:
    """Return the file of each secret setting of which the environment names one, by its field."""
    named = ((field, environment.get(file_variable(field))) for field in fields)
    return {field: Path(path) for field, path in named if path}


def from_files(fields: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the secret settings that files hold, without the line's end, by their fields.

    Raises:
        InvalidSettings: a file cannot be read, holds nothing or no text, or its setting is set as well.
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
        reason = getattr(exc, "strerror", None) or "no UTF-8 text, or no path"
        raise InvalidSettings(f"{variable}: {path} cannot be read ({reason}). {remedy}", variable) from exc
    if not content.strip():
        raise InvalidSettings(f"{variable}: {path} is empty. {remedy}", variable)
    return content


def lacking(field: str) -> InvalidSettings:
    """Return what to say on a machine that lacks a secret setting with which the platform was started elsewhere."""
    variable = file_variable(field).removesuffix("_FILE")
    return InvalidSettings(
        f"{variable} is not set on this node, and the platform was started with it. No secret travels with Ray: give "
        f"{variable}, or {file_variable(field)} with the name of a file, to `ray start` on every node.",
        variable,
    )
