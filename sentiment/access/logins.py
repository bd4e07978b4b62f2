"""Addresses of servers that hold a login, `http://user:password@host`: what of them may be shown."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

#: Up to the last @, since a password may hold what ends a host by the book: such an address fails, and is then told of.
_LOGIN: Final = re.compile(r"\A(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)?(?P<login>.*)@", re.DOTALL)
_LONGEST: Final = 200


def has_login(address: str) -> bool:
    """Say whether an address holds a login."""
    return bool(_LOGIN.match(address))


def without_login(address: str) -> str:
    """Return an address with its scheme and without the login, if it holds one."""
    return _LOGIN.sub(lambda found: found["scheme"] or "", address)


def told_of(exc: BaseException, address: str) -> str:
    """Return what an error says, its type first, without the login of the server that it tells of.

    Where the password stands in it even so, its type alone.
    """
    kind, said = type(exc).__name__, str(exc)
    if found := _LOGIN.match(address):
        said = said.replace(f"{found['login']}@", "")
        password = found["login"].partition(":")[2] or found["login"]
        if password in said or unquote(password) in said:
            return kind
    return f"{kind}: {said[:_LONGEST]}"
