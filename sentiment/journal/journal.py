"""The journal: operations are on disk before they are acknowledged, and stay there until the store has them.

Appends that come together share one write and one fdatasync. After a crash everything acknowledged is replayed.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sentiment.clock import epoch_ms
from sentiment.errors import JournalFull
from sentiment.journal.folder import OwnedFolder, Position
from sentiment.journal.frames import FramePiece, Header, encode_frame, read_headers, read_pieces
from sentiment.journal.group_commit import GroupCommit, Waiting
from sentiment.journal.operations import decode_operations, encode_operations
from sentiment.journal.segment import SegmentWriter
from sentiment.records import Operation

logger = logging.getLogger(__name__)

RESERVE_BYTES: Final = 64 * 2**20
SEGMENT_BYTES: Final = 16 * 2**20
MAX_CHUNK_BYTES: Final = 8 * 2**20


@dataclass(frozen=True, slots=True)
class Chunk:
    """Operations read back, and the position after them."""

    operations: list[Operation]
    end: Position


@dataclass(frozen=True, slots=True)
class _Append:
    frame: bytes
    operations: int


@dataclass(frozen=True, slots=True)
class JournalOptions:
    """Options of a journal; `reserve_bytes` of the disk stay free for a store on the same disk that catches up."""

    segment_bytes: int = SEGMENT_BYTES
    reserve_bytes: int = RESERVE_BYTES
    clock_ms: Callable[[], int] = epoch_ms
    on_commit_ms: Callable[[float], object] = float


class Journal:
    """A thread-safe append-only journal in a folder that this process owns until `close`."""

    def __init__(self, folder: OwnedFolder, options: JournalOptions | None = None) -> None:
        self._folder = folder
        self._options = options or JournalOptions()
        self._lock = threading.Lock()
        self._sizes = folder.segments()
        checkpoint = folder.read_checkpoint() or Position(0, 0)
        #: Readers start here: everything before is in the store.
        self.start = max(checkpoint, Position(min(self._sizes, default=0), 0))
        #: The next append goes here, in a new segment: the end of an earlier owner's may be an interrupted write.
        self.end = Position(max([checkpoint.segment, *self._sizes]) + 1, 0)
        self._released = self.start
        self._operations = sum(header.operations for header in self._waiting_headers())
        self._segment: SegmentWriter | None = None
        self._appended_at_s = time.monotonic()
        self._commits: GroupCommit[_Append, Position] = GroupCommit("journal", self._commit)

    @property
    def path(self) -> Path:
        """The journal's folder."""
        return self._folder.path

    @property
    def pending_operations(self) -> int:
        """Number of operations on disk that are not yet released."""
        return self._operations

    @property
    def size_bytes(self) -> int:
        """Bytes of all segments."""
        return sum(self._sizes.copy().values())

    @property
    def corrupt_files(self) -> int:
        """Number of damaged places that were skipped and saved."""
        return self._folder.corrupt_files()

    @property
    def quiet_s(self) -> float:
        """Seconds since the last append."""
        return time.monotonic() - self._appended_at_s

    def age_s(self) -> float:
        """Return the age of the oldest waiting operation in seconds, 0 if none waits."""
        try:
            oldest = next(self._waiting_headers(), None) if self._operations else None
        except FileNotFoundError:  # released meanwhile
            return 0.0
        return max(0.0, (self._options.clock_ms() - oldest.at_ms) / 1000) if oldest else 0.0

    def append(self, operations: Sequence[Operation]) -> Future[Position]:
        """Queue operations; the future has the position after them when they are on disk.

        Appends keep their order. The future raises JournalFull if these operations could not be written.

        Raises:
            Unavailable: after `close`.
        """
        frame = encode_frame(encode_operations(operations), len(operations), self._options.clock_ms())
        return self._commits.submit(_Append(frame, len(operations)))

    def read(self, start: Position, max_operations: int) -> Chunk:
        """Read from `start` until `max_operations` or the end; damage is skipped and saved.

        Raises:
            OSError: the disk cannot be read.
        """
        operations: list[Operation] = []
        read_bytes, end = 0, self.end
        for number, piece in self._pieces(start, end):
            operations += self._operations_of(number, piece)
            read_bytes += len(piece.content)
            if len(operations) >= max_operations or read_bytes >= MAX_CHUNK_BYTES:
                return Chunk(operations, Position(number, piece.end))
        return Chunk(operations, max(start, end))

    def release(self, upto: Position, operations: int) -> None:
        """Release the `operations` before `upto`, which the store has: whole segments before it are deleted."""
        with self._lock:
            self._note_released(upto)
            self._released = upto
            self._operations = 0 if upto == self.end else max(0, self._operations - operations)
            for number in [number for number in self._sizes if number < upto.segment]:
                self._folder.segment_path(number).unlink(missing_ok=True)
                del self._sizes[number]

    def rotate(self) -> None:
        """Start a new segment with the next append, so that the present one can be deleted after its release."""
        with self._lock:
            self._close_segment()

    def close(self) -> None:
        """Write queued operations, then give up the folder; unreleased operations wait for the next owner."""
        self._commits.close()
        with self._lock:
            self._close_segment()
        self._folder.close()

    @property
    def alive(self) -> bool:
        """Whether appends are still processed."""
        return self._commits.alive

    def _note_released(self, upto: Position) -> None:
        try:
            self._folder.write_checkpoint(upto)
        except OSError as exc:  # deleting segments frees a full disk: it must go on
            logger.warning("the journal's checkpoint was not written, so more will be replayed: %s", exc.strerror)

    def _commit(self, group: list[Waiting[_Append, Position]]) -> None:
        started = time.perf_counter()
        with self._lock:
            try:
                ends = self._write([waiting.item.frame for waiting in group])
            except OSError as exc:
                logger.warning("the journal cannot be written: %s", exc.strerror)
                ends = [None for _ in group]
            number = self.end.segment
            self._operations += sum(waiting.item.operations for waiting, end in zip(group, ends, strict=True) if end)
        self._options.on_commit_ms((time.perf_counter() - started) * 1000)
        for waiting, end in zip(group, ends, strict=True):
            if end is None:
                waiting.future.set_exception(JournalFull("the journal's disk is full or broken: free some space on it"))
            else:
                waiting.future.set_result(Position(number, end))

    def _write(self, frames: list[bytes]) -> list[int | None]:
        """Write frames and sync; return the offset after each one, None for one that could not be written."""
        if self._folder.room_bytes(self._options.reserve_bytes) < sum(map(len, frames)):
            return [None for _ in frames]
        segment = self._open_segment()
        before = segment.size
        ends = _write_frames(segment, frames)
        if segment.size == before:
            return ends
        try:
            segment.sync()
        except OSError:
            segment.cut(before)
            self._close_segment()  # after a failed sync the kernel may treat lost pages as clean
            raise
        self._sizes[self.end.segment] = segment.size
        self.end = Position(self.end.segment, segment.size)
        self._appended_at_s = time.monotonic()
        return ends

    def _open_segment(self) -> SegmentWriter:
        if self._segment is not None and self._segment.size >= self._options.segment_bytes:
            self._close_segment()
        if self._segment is None:
            self._segment = self._new_segment()
            self._sizes[self.end.segment] = 0
        return self._segment

    def _new_segment(self) -> SegmentWriter:
        segment = SegmentWriter(self._folder.segment_path(self.end.segment))
        try:
            self._folder.sync()
        except OSError:
            segment.close()
            raise
        return segment

    def _close_segment(self) -> None:
        if self._segment is not None:
            self._segment.close()
            self._segment = None
            self.end = Position(self.end.segment + 1, 0)

    def _pieces(self, start: Position, end: Position) -> Iterator[tuple[int, FramePiece]]:
        for number, first, limit in self._spans(start, end):
            try:
                for piece in read_pieces(self._folder.segment_path(number), first, limit):
                    yield number, piece
            except FileNotFoundError:
                logger.error(
                    "segment %d of the journal is missing: somebody deleted it; its operations are lost", number
                )

    def _spans(self, start: Position, end: Position) -> list[tuple[int, int, int]]:
        with self._lock:
            sizes = sorted(self._sizes.items())
        return [
            (number, start.offset if number == start.segment else 0, end.offset if number == end.segment else size)
            for number, size in sizes
            if start.segment <= number <= end.segment
        ]

    def _waiting_headers(self) -> Iterator[Header]:
        for number, first, limit in self._spans(self._released, self.end):
            yield from read_headers(self._folder.segment_path(number), first, limit)

    def _operations_of(self, number: int, piece: FramePiece) -> list[Operation]:
        if piece.header is not None:
            try:
                return decode_operations(piece.content)
            except (ValueError, TypeError) as exc:
                logger.error("a frame of the journal cannot be read: %s", exc)
        if piece.torn:
            logger.info("the last write of an earlier process was interrupted: %d bytes skipped", len(piece.content))
        else:
            self._folder.keep_aside(Position(number, piece.start), piece.content)
        return []


def _write_frames(segment: SegmentWriter, frames: list[bytes]) -> list[int | None]:
    before = segment.size
    try:
        segment.write(b"".join(frames))
    except OSError:
        return [_write_frame(segment, frame) for frame in frames]  # perhaps there is room for some of them
    return [before + end for end in itertools.accumulate(map(len, frames))]


def _write_frame(segment: SegmentWriter, frame: bytes) -> int | None:
    try:
        segment.write(frame)
    except OSError:
        return None
    return segment.size
