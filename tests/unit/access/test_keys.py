from __future__ import annotations

import re
import threading
from dataclasses import dataclass

import pytest

from sentiment.access.keys import GRANTS, KeyRing, create_key, list_keys, revoke_key
from sentiment.errors import Conflict, InvalidInput, NotFound, StoreUnavailable
from sentiment.records import Document
from sentiment.store.memory import MemoryStore

SECRET = b"s" * 32
NOW_MS = 1_790_000_000_000


@dataclass
class Clock:
    now_s: float = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ring(store: MemoryStore, clock: Clock) -> KeyRing:
    return KeyRing(store, SECRET, clock, cache_s=3.0)


def make(store: MemoryStore, name: str = "laptop", scope: str = "predict", expires_at_ms: int | None = None) -> str:
    return create_key(store, SECRET, name, scope, expires_at_ms, NOW_MS)


@pytest.mark.parametrize("scope", ["predict", "read", "admin"])
def test_a_key_grants_its_scope(store: MemoryStore, ring: KeyRing, scope: str) -> None:
    assert ring.scopes_of(make(store, scope=scope), NOW_MS) == GRANTS[scope]


def test_only_admin_may_do_everything() -> None:
    assert GRANTS["predict"] == {"predict"}
    assert GRANTS["read"] == {"read"}
    assert GRANTS["admin"] == {"predict", "read", "admin"}


def test_a_token_has_256_random_bits_and_its_id(store: MemoryStore) -> None:
    tokens = {make(store, f"k{n}") for n in range(50)}
    assert len(tokens) == 50
    assert all(re.fullmatch(r"ut_[0-9a-f]{16}_[A-Za-z0-9_-]{43}", token) for token in tokens)


def test_the_store_never_holds_the_token(store: MemoryStore) -> None:
    token = make(store)
    (document,) = store.list_documents("key")
    assert token not in repr(document)
    assert token.split("_", 2)[2] not in repr(document)


def test_a_digest_of_another_secret_opens_nothing(store: MemoryStore, clock: Clock) -> None:
    assert KeyRing(store, b"t" * 32, clock).scopes_of(make(store), NOW_MS) is None


def test_wrong_tokens_are_refused(store: MemoryStore, ring: KeyRing) -> None:
    token = make(store, scope="admin")
    last = "A" if token[-1] != "A" else "B"
    id_only = token.rsplit("_", 1)[0]
    for wrong in (
        "",
        "ut_",
        token[:-1],
        token[:-1] + last,
        token + "A",
        token.upper(),
        id_only,
        "é",
        "\ud83d",
        token + "\n",
    ):
        assert ring.scopes_of(wrong, NOW_MS) is None, wrong
    other = make(store, "other")
    assert ring.scopes_of(token[:20] + other[20:], NOW_MS) is None


def test_an_expired_key_is_refused(store: MemoryStore, ring: KeyRing) -> None:
    token = make(store, expires_at_ms=NOW_MS + 1000)
    assert ring.scopes_of(token, NOW_MS + 999) == {"predict"}
    assert ring.scopes_of(token, NOW_MS + 1000) is None


def test_a_revoked_key_is_refused_within_the_cache_time(store: MemoryStore, ring: KeyRing, clock: Clock) -> None:
    token = make(store)
    assert ring.scopes_of(token, NOW_MS) == {"predict"}
    revoke_key(store, "laptop")
    clock.now_s += 3.0
    assert ring.scopes_of(token, NOW_MS) is None


def test_a_new_key_works_within_the_cache_time(store: MemoryStore, ring: KeyRing, clock: Clock) -> None:
    assert ring.scopes_of("ut_", NOW_MS) is None
    token = make(store)
    clock.now_s += 3.0
    assert ring.scopes_of(token, NOW_MS) == {"predict"}


def test_keys_are_read_once_in_the_cache_time(store: MemoryStore, ring: KeyRing, clock: Clock) -> None:
    token = make(store)
    assert not ring.is_fresh()
    ring.scopes_of(token, NOW_MS)
    assert ring.is_fresh()
    store.available = False
    assert ring.scopes_of(token, NOW_MS) == {"predict"}
    clock.now_s += 3.0
    assert not ring.is_fresh()


def test_known_keys_work_while_the_store_is_away(store: MemoryStore, ring: KeyRing, clock: Clock) -> None:
    token = make(store, expires_at_ms=NOW_MS + 1000)
    ring.scopes_of(token, NOW_MS)
    store.available = False
    clock.now_s += 60
    assert ring.scopes_of(token, NOW_MS) == {"predict"}
    assert ring.scopes_of(token, NOW_MS + 1000) is None


def test_a_store_that_is_away_is_asked_once_in_the_cache_time(
    store: MemoryStore, ring: KeyRing, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(kind: str) -> list[Document]:
        reads.append(kind)
        raise StoreUnavailable("the text store is away")

    reads: list[str] = []
    token = make(store)
    ring.scopes_of(token, NOW_MS)
    monkeypatch.setattr(store, "list_documents", away)
    clock.now_s += 3
    assert [ring.scopes_of(token, NOW_MS) for _ in range(5)] == [{"predict"}] * 5
    assert len(reads) == 1


def test_nobody_is_let_in_before_the_store_has_answered(store: MemoryStore, ring: KeyRing) -> None:
    token = make(store)
    store.available = False
    with pytest.raises(StoreUnavailable):
        ring.scopes_of(token, NOW_MS)
    store.available = True
    assert ring.scopes_of(token, NOW_MS) == {"predict"}


def test_a_slow_store_holds_up_one_request_only(clock: Clock) -> None:
    class SlowStore(MemoryStore):
        def list_documents(self, kind: str) -> list:
            reads.append(kind)
            assert len(reads) == 1 or may_answer.wait(10)
            return super().list_documents(kind)

    reads, may_answer, store = [], threading.Event(), SlowStore()
    ring = KeyRing(store, SECRET, clock, cache_s=3.0)
    token = make(store)
    ring.scopes_of(token, NOW_MS)
    clock.now_s += 5
    reader = threading.Thread(target=ring.scopes_of, args=(token, NOW_MS))
    reader.start()
    while len(reads) < 2:
        pass
    assert ring.scopes_of(token, NOW_MS) == {"predict"}
    may_answer.set()
    reader.join()
    assert len(reads) == 2


def test_keys_are_listed_by_name(store: MemoryStore) -> None:
    make(store, "b", expires_at_ms=NOW_MS + 1)
    make(store, "a", "admin")
    keys = [(key.name, key.scope, key.created_at_ms, key.expires_at_ms) for key in list_keys(store)]
    assert keys == [("a", "admin", NOW_MS, None), ("b", "predict", NOW_MS, NOW_MS + 1)]


def test_a_name_stands_for_one_key(store: MemoryStore, ring: KeyRing) -> None:
    token = make(store)
    with pytest.raises(Conflict, match="laptop"):
        make(store, scope="admin")
    assert ring.scopes_of(token, NOW_MS) == {"predict"}
    revoke_key(store, "laptop")
    assert make(store) != token


def test_only_a_known_key_can_be_revoked(store: MemoryStore) -> None:
    with pytest.raises(NotFound, match="nobody"):
        revoke_key(store, "nobody")


@pytest.mark.parametrize("name", ["", "a" * 65, "-a", ".a", "a b", "é", "a\n", "a/b", "a:b"])
def test_odd_names_are_refused(store: MemoryStore, name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        make(store, name)
    assert caught.value.field == "name"


@pytest.mark.parametrize(
    ("values", "field"), [({"scope": "root"}, "scope"), ({"expires_at_ms": NOW_MS}, "expires_at_ms")]
)
def test_wrong_scopes_and_past_expiries_are_refused(store: MemoryStore, values: dict, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        make(store, **values)
    assert caught.value.field == field
    assert list_keys(store) == []
