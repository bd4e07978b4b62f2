"""One generation of the embedded index: takes changes as commits, and hands out the content of the last one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import tantivy
from tantivy import Query

from sentiment.errors import Unavailable
from sentiment.insight.embedded.compiler import term
from sentiment.insight.embedded.schema import (
    POSITION,
    SCHEMA,
    entry_of,
    entry_of_position,
    open_index,
    position_in,
)
from sentiment.insight.values import Deletion, IndexedText

#: What tantivy raises when a file cannot be written or read.
FAULTS: Final = (ValueError, OSError, RuntimeError)

_WRITER_BYTES: Final = 64 * 2**20
_FILLED_AT_ONCE: Final = 20_000

Change = IndexedText | Deletion


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The content of one commit; it stays as it is while others follow."""

    searcher: tantivy.Searcher
    commit: str
    position: str
    commits: int


@dataclass(frozen=True, slots=True)
class _Entry:
    """The entry of an id: its revision, and whether it is a deletion."""

    revision: int
    is_deletion: bool


class Content:
    """Owns the only writer of its folder: several that write by turns would lose each other's files."""

    def __init__(self, folder: Path) -> None:
        """Open the content of a folder, or make an empty one.

        Raises:
            ValueError: the files are no index, or of another schema.
        """
        self.folder = folder
        self._open()

    def apply(self, changes: Sequence[Change], position: str) -> None:
        """Take changes as one commit: of each id the highest revision, unless a higher one is there.

        Raises:
            Unavailable: the files cannot be written; the content is as it was.
        """
        latest: dict[str, Change] = {}
        for change in changes:
            if _supersedes(change, latest.get(change.id)):
                latest[change.id] = change
        try:
            self._write(latest, position)
        except FAULTS as exc:
            self._recover()
            raise Unavailable(f"The insight index cannot be written in {self.folder}: {exc}") from exc

    def fill(self, texts: Iterable[IndexedText]) -> None:
        """Take any number of texts, by many commits.

        Raises:
            Unavailable: the files cannot be written.
        """
        remaining = iter(texts)
        while batch := list(islice(remaining, _FILLED_AT_ONCE)):
            self.apply(batch, "")

    def close(self) -> None:
        """Release the writer; snapshots stay usable."""
        del self._writer

    def _open(self) -> None:
        self._index = open_index(self.folder)
        self._writer = self._index.writer(_WRITER_BYTES, num_threads=1)
        self.snapshot = self._read()

    def _recover(self) -> None:
        """Open the files again as the last commit left them: a writer that failed takes nothing more."""
        del self._writer
        self._open()

    def _write(self, latest: Mapping[str, Change], position: str) -> None:
        entries = self._entries(list(latest))
        for text_id, change in latest.items():
            entry = entries.get(text_id)
            if entry is None or _supersedes(change, entry):
                if entry is not None:
                    self._writer.delete_documents_by_term("id", text_id)
                self._writer.add_document(entry_of(change))
        self._writer.delete_documents_by_term("state", POSITION)
        self._writer.add_document(entry_of_position(position, self.snapshot.commits + 1))
        self._writer.commit()
        self._index.reload()
        self.snapshot = self._read()

    def _entries(self, ids: list[str]) -> dict[str, _Entry]:
        """Return the entries of these ids, as far as there are any."""
        searcher = self.snapshot.searcher
        hits = searcher.search(Query.term_set_query(SCHEMA, "id", ids), max(1, len(ids)), count=False).hits
        addresses = [address for _, address in hits]
        revisions = searcher.fast_field_values("revision", addresses)
        times = searcher.fast_field_values("time", addresses)
        return {
            str(searcher.doc(address).get_first("id")): _Entry(int(revision or 0), time is None)
            for address, revision, time in zip(addresses, revisions, times, strict=True)
        }

    def _read(self) -> Snapshot:
        searcher = self._index.searcher()
        hits = searcher.search(term("state", POSITION), 1).hits
        position, commits = position_in(searcher.doc(hits[0][1])) if hits else ("", 0)
        return Snapshot(searcher, f"{self.folder.name}-{commits}", position, commits)


def _supersedes(change: Change, former: Change | _Entry | None) -> bool:
    """Return whether a change replaces the former one: at equal revisions it does, unless that was a deletion."""
    if former is None or change.revision != former.revision:
        return former is None or change.revision > former.revision
    is_deleted = former.is_deletion if isinstance(former, _Entry) else isinstance(former, Deletion)
    return isinstance(change, Deletion) or not is_deleted
