"""Which texts came lately: a window of keys, kept on disk by segments, so that it outlives a kill."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter, deque
from pathlib import Path
from typing import Final

#: Texts that are looked back on: 16 bytes each on disk, some 30 MB in memory.
WINDOW_TEXTS: Final = 100_000
_KEY_BYTES: Final = 8
_ENTRY_BYTES: Final = 2 * _KEY_BYTES


class RecentTexts:
    """The ids and contents of the last `size` texts. `count` is how many were added since the beginning."""

    def __init__(self, folder: Path, count: int = 0, size: int = WINDOW_TEXTS) -> None:
        self.count = count
        self._folder, self._size = folder, size
        self._entries: deque[tuple[int, int]] = deque()
        self._ids: Counter[int] = Counter()
        self._contents: Counter[int] = Counter()
        self._unsaved = array("Q")
        self._restore()

    def knows_id(self, id_: str) -> bool:
        """Return whether a text of this id is in the window."""
        return _key(id_) in self._ids

    def knows_content(self, content_key: str) -> bool:
        """Return whether a text with this content is in the window."""
        return _key(content_key) in self._contents

    def add(self, id_: str, content_key: str) -> None:
        """Add a text; the oldest one leaves a full window."""
        entry = _key(id_), _key(content_key)
        self._take(entry)
        self._unsaved.extend(entry)
        if (self.count + len(self._unsaved) // 2) % self._size == 0:
            self.save()

    def save(self) -> None:
        """Write what was added since the last time, and remove segments that the window has left."""
        if not self._unsaved:
            return
        with self._segment(self.count // self._size).open("ab") as file:
            file.write(self._unsaved.tobytes())
        self.count += len(self._unsaved) // 2
        self._unsaved = array("Q")
        self._segment(self.count // self._size - 2).unlink(missing_ok=True)

    def _take(self, entry: tuple[int, int]) -> None:
        if len(self._entries) >= self._size:
            for keys, key in zip((self._ids, self._contents), self._entries.popleft(), strict=True):
                keys[key] -= 1
                if not keys[key]:
                    del keys[key]
        self._entries.append(entry)
        for keys, key in zip((self._ids, self._contents), entry, strict=True):
            keys[key] += 1

    def _restore(self) -> None:
        """Read the window, and cut off what a kill left behind the last position."""
        last = self.count // self._size
        for path in self._folder.glob("recent-*.bin"):
            if path.name not in {self._segment(last).name, self._segment(last - 1).name}:
                path.unlink()
        for segment, entries in ((last - 1, self._size), (last, self.count % self._size)):
            self._restore_segment(self._segment(segment), entries * _ENTRY_BYTES)

    def _restore_segment(self, path: Path, size_bytes: int) -> None:
        if not path.exists():
            return
        with path.open("r+b") as file:
            file.truncate(min(size_bytes, path.stat().st_size // _ENTRY_BYTES * _ENTRY_BYTES))
            keys = array("Q", file.read())
        for entry in zip(keys[::2], keys[1::2], strict=True):
            self._take(entry)

    def _segment(self, number: int) -> Path:
        return self._folder / f"recent-{number}.bin"


def _key(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_KEY_BYTES).digest()
    return int.from_bytes(digest, "little")
