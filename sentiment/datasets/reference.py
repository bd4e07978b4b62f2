"""How a dataset version is named: `tweets@3`, or `tweets@latest`, or `tweets` for short."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from sentiment.errors import InvalidInput

LATEST: Final = "latest"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class Reference(NamedTuple):
    """A dataset's name, and a version's number or None for the latest."""

    name: str
    number: int | None


def parse_reference(text: str) -> Reference:
    """Read `name`, `name@latest` or `name@3`.

    Raises:
        InvalidInput: it is none of these.
    """
    name, _, version = text.partition("@")
    check_name(name)
    if version in ("", LATEST):
        return Reference(name, None)
    if not re.fullmatch(r"[1-9]\d{0,7}", version):
        raise InvalidInput(
            f"{text!r} is not the name of a dataset version: write {name}@3, or {name}@latest.", "dataset"
        )
    return Reference(name, int(version))


def is_name(name: str) -> bool:
    """Tell whether `name` can name a dataset."""
    return _NAME.fullmatch(name) is not None


def check_name(name: str) -> None:
    """Raise InvalidInput unless `name` can name a dataset: it becomes part of file names and of S3 keys."""
    if not is_name(name):
        rule = "small letters, digits, dots, dashes and underscores, 64 at most, a letter or digit first"
        raise InvalidInput(f"{name!r} cannot name a dataset: use {rule}.", "name")
