"""API keys: shown once when they are made, stored as an HMAC, refused when revoked or expired.

A key is the token `ut_<id>_<secret>`. The store has, under the key's name, its id, its scope, its times and the HMAC of
the token; the token itself cannot be recovered.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Final, Literal, get_args

from sentiment.errors import Conflict, InvalidInput, NotFound, StoreUnavailable
from sentiment.records import Document
from sentiment.store.base import TextStore

Scope = Literal["predict", "read", "admin"]

#: What a key of each scope may do: predict and write texts; read texts, insights and models; everything.
GRANTS: Final[Mapping[Scope, frozenset[Scope]]] = {
    "predict": frozenset({"predict"}),
    "read": frozenset({"read"}),
    "admin": frozenset({"predict", "read", "admin"}),
}

KIND: Final = "key"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TOKEN: Final = re.compile(r"ut_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
_PURPOSE: Final = b"undertone api key\0"  # no HMAC made for another purpose with the same secret passes for this one
_NO_DIGEST: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class Key:
    """A stored key; times are ms since 1970, `digest` is the HMAC-SHA256 (hex) of its token."""

    name: str
    id: str
    scope: Scope
    created_at_ms: int
    expires_at_ms: int | None
    digest: str


def key_id(token: str) -> str | None:
    """Return the public id in a token; None if it does not have the form of a token."""
    parts = _TOKEN.fullmatch(token)
    return parts[1] if parts else None


def create_key(store: TextStore, secret: bytes, name: str, scope: Scope, expires_at_ms: int | None, now_ms: int) -> str:
    """Make a key and return its token, which cannot be shown again.

    Raises:
        InvalidInput: the name, the scope or the expiry is wrong.
        Conflict: there is a key of that name.
        StoreUnavailable: the store does not answer.
    """
    _check(name, scope, expires_at_ms, now_ms)
    key_id = secrets.token_hex(8)
    token = f"ut_{key_id}_{secrets.token_urlsafe(32)}"
    key = Key(name, key_id, scope, now_ms, expires_at_ms, _digest(secret, token))
    try:
        store.put_document(KIND, name, asdict(key), expected_generation=0)
    except Conflict:
        raise Conflict(f"There is already a key named {name}; revoke it first, or choose another name.") from None
    return token


def list_keys(store: TextStore) -> list[Key]:
    """Return all keys by name, the expired ones too.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    return [_key(document) for document in store.list_documents(KIND)]


def revoke_key(store: TextStore, name: str) -> None:
    """Delete a key; every `KeyRing` refuses it within its `cache_s`.

    Raises:
        NotFound: there is no key of that name.
        StoreUnavailable: the store does not answer.
    """
    if not store.delete_document(KIND, name):
        raise NotFound(f"There is no key named {name!r}; `undertone keys list` shows the names.")


class KeyRing:
    """Checks tokens against a copy of all keys, which is at most `cache_s` old while the store answers.

    While the store is down the last copy is used: keys cannot be revoked then anyway, and expiry is still checked.
    """

    def __init__(self, store: TextStore, secret: bytes, monotonic: Callable[[], float], cache_s: float = 3.0) -> None:
        self._store = store
        self._secret = secret
        self._monotonic = monotonic
        self._cache_s = cache_s
        self._keys: Mapping[str, Key] | None = None
        self._read_at_s = 0.0
        self._reading = threading.Lock()

    def scopes_of(self, token: str, now_ms: int) -> frozenset[Scope] | None:
        """Return what the token may do, None if it is unknown, revoked or expired. Reads the store every `cache_s`.

        Raises:
            StoreUnavailable: the store has not answered yet since the start.
        """
        keys = self._current()
        parts = _TOKEN.fullmatch(token)
        key = keys.get(parts[1]) if parts else None
        is_valid = hmac.compare_digest(_digest(self._secret, token), key.digest if key else _NO_DIGEST)
        if key is None or not is_valid or (key.expires_at_ms is not None and key.expires_at_ms <= now_ms):
            return None
        return GRANTS[key.scope]

    def is_fresh(self) -> bool:
        """Whether `scopes_of` would answer at once, without a look into the store."""
        return self._keys is not None and self._monotonic() - self._read_at_s < self._cache_s

    def _current(self) -> Mapping[str, Key]:
        keys = self._keys
        if keys is not None and (self.is_fresh() or self._reading.locked()):
            return keys  # one caller reads anew, the others do not wait for it
        with self._reading:
            return self._keys if self._keys is not None and self.is_fresh() else self._read()

    def _read(self) -> Mapping[str, Key]:
        try:
            keys: Mapping[str, Key] = {key.id: key for key in list_keys(self._store)}
        except StoreUnavailable:
            if self._keys is None:
                raise
            keys = self._keys
        self._keys = keys
        self._read_at_s = self._monotonic()  # after a failure too: not every request shall wait for an absent store
        return keys


def _check(name: str, scope: str, expires_at_ms: int | None, now_ms: int) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidInput("name must be 1 to 64 letters, digits, '.', '_' or '-', a letter or digit first.", "name")
    if scope not in GRANTS:
        raise InvalidInput(f"scope must be one of {', '.join(get_args(Scope))}, not {scope!r}.", "scope")
    if expires_at_ms is not None and expires_at_ms <= now_ms:
        raise InvalidInput("expires_at_ms must be in the future.", "expires_at_ms")


def _digest(secret: bytes, token: str) -> str:
    return hmac.new(secret, _PURPOSE + token.encode(errors="replace"), hashlib.sha256).hexdigest()


def _key(document: Document) -> Key:
    return Key(**document.body)
