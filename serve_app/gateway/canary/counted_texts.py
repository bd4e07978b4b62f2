"""The texts with feedback that a rollout has counted, shared by all gateways in the text store: none counts twice.

The digests of their ids are in a fixed number of documents, which the next rollout overwrites.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sentiment.errors import Conflict, Unavailable
from sentiment.store import TextStore

KIND: Final = "counted"
_PARTS: Final = 64
_DIGEST_BYTES: Final = 8
_ATTEMPTS: Final = 20


@dataclass(frozen=True)
class CountedTexts:
    """The texts with feedback that were counted in the present rollout of one registered model."""

    store: TextStore
    model: str

    def take(self, rollout: str, ids: Iterable[str]) -> set[str]:
        """Return those of `ids` that no gateway has taken in this rollout; the caller counts them. Blocks.

        Raises:
            Unavailable: the store is away, or others write too fast. Some ids may be taken then, and are never counted.
        """
        parts: dict[int, dict[str, str]] = defaultdict(dict)
        for id_ in ids:
            digest = hashlib.blake2b(id_.encode(), digest_size=_DIGEST_BYTES).hexdigest()
            parts[int(digest, 16) % _PARTS][digest] = id_
        new_ids = (self._take(rollout, f"{self.model}-{part}", by_digest) for part, by_digest in parts.items())
        return {id_ for some in new_ids for id_ in some}

    def _take(self, rollout: str, name: str, by_digest: dict[str, str]) -> list[str]:
        for _ in range(_ATTEMPTS):
            present = self.store.get_document(KIND, name)
            if present is not None and present.body["rollout"] > rollout:  # ids grow with time: this one has ended
                return []
            counted = present.body["texts"] if present is not None and present.body["rollout"] == rollout else []
            new = [digest for digest in by_digest if digest not in counted]
            if not new:
                return []
            body = {"rollout": rollout, "texts": [*counted, *new]}
            try:
                self.store.put_document(KIND, name, body, present.generation if present else 0)
            except Conflict:  # another gateway was faster
                continue
            return [by_digest[digest] for digest in new]
        raise Unavailable("other gateways count texts with feedback faster than the store can write; try again")
