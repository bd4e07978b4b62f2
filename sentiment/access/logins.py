"""Removes logins from addresses of servers, `http://user:password@host`, before they are shown."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

#: Up to the last @, since a password may hold what ends a host by the book: such an address fails, and is then told of.
_LOGIN: Final = re.compile(r"\A(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)?(?P<login>.*)@", re.DOTALL)
_LONGEST: Final = 200


def has_login(address: str) -> bool:
    """Return whether an address holds a login."""
    return bool(_LOGIN.match(address))


def without_login(address: str) -> str:
    """Return an address without its login."""
    return _LOGIN.sub(lambda match: match["scheme"] or "", address)


def error_without_login(exc: BaseException, address: str) -> str:
    """Return an error's type and message without the login of the server at `address`.

    If the message contains the password anyway, only the type is returned.
    """
    kind, text = type(exc).__name__, str(exc)
    if match := _LOGIN.match(address):
        text = text.replace(f"{match['login']}@", "")
        password = match["login"].partition(":")[2] or match["login"]
        if password in text or unquote(password) in text:
            return kind
    return f"{kind}: {text[:_LONGEST]}"
