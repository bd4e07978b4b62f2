"""A dataset version that is being written: shards go to the store as they fill, and the digest of all rows is made."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Final

from sentiment.datasets.example import Example
from sentiment.datasets.source.label_set import check_label
from sentiment.datasets.source.language_codes import language_code
from sentiment.datasets.storage.manifest import Shard
from sentiment.datasets.storage.objects import Objects
from sentiment.datasets.storage.shards import MOST_ROWS, MOST_TEXT_CHARACTERS, encode_shard
from sentiment.errors import InvalidInput
from sentiment.text import CURRENT_NORMALIZER, NORMALIZERS


def shard_key(name: str, shard: Shard) -> str:
    """Return the key of a dataset's shard."""
    return f"{name}/shards/{shard.sha256}.parquet"


class Draft:
    """Takes examples one by one and holds no more than a shard of them in memory.

    `balance` and `rows` tell what it has taken. A draft that is dropped leaves shards behind that no version lists.
    """

    def __init__(self, objects: Objects, name: str) -> None:
        self.name = name
        self.normalizer: Final = CURRENT_NORMALIZER
        self.rows = 0
        self.balance: Counter[str] = Counter()
        self._normalize = NORMALIZERS[self.normalizer]
        self._objects = objects
        self._shards: list[Shard] = []
        self._waiting: list[Example] = []
        self._waiting_characters = 0
        self._digest = hashlib.sha256()

    def add(self, example: Example) -> None:
        """Take one example; its text and its source are normalised, so that nothing unmasked is ever stored.

        Raises:
            InvalidInput: the text is empty, the label is unknown, or the language is no code.
        """
        text, label = self._normalize(example.text), example.label
        check_label(label, self.rows + 1)
        if not text:
            raise InvalidInput(f"Example {self.rows + 1} has no text: remove it.", "text")
        self.rows += 1
        self.balance[label or ""] += 1
        source = self._normalize(example.source)
        row = (text, label, source, language_code(example.language, f"Example {self.rows}"))
        self._digest.update(json.dumps(row).encode() + b"\n")
        self._waiting.append(Example(*row))
        self._waiting_characters += len(text)
        if len(self._waiting) == MOST_ROWS or self._waiting_characters >= MOST_TEXT_CHARACTERS:
            self._flush()

    def finish(self) -> tuple[str, tuple[Shard, ...]]:
        """Store what is left; return the digest of all rows, and the shards.

        Raises:
            InvalidInput: there is no example.
        """
        if not self.rows:
            raise InvalidInput(f"There are no examples to push to {self.name}.", "source")
        self._flush()
        return self._digest.hexdigest(), tuple(self._shards)

    def _flush(self) -> None:
        if self._waiting:
            shard, data = encode_shard(self._waiting)
            self._objects.keep(shard_key(self.name, shard), data)
            self._shards.append(shard)
            self._waiting.clear()
            self._waiting_characters = 0
