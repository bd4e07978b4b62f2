"""Tokenised texts on disk, memory-mapped: computed once for each content and tokenizer."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import tempfile
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from sentiment.errors import InvalidInput
from sentiment.models.vocabulary import count_pieces
from sentiment.text import near_duplicate_key
from sentiment.text.steps import Step, open_steps, steps_key
from sentiment.validation_messages import shown

UNLABELLED: Final = -1

_FORMAT: Final = 2
_COUNTS: Final = "counts.json"
_CHUNK_TEXTS: Final = 2000
_IDS, _STARTS, _LABELS, _GROUPS, _FACTS = "ids.i32", "starts.i64", "labels.i16", "groups.i64", "facts.json"
_GROUP_DIGITS: Final = 16


class TextWithLabel(Protocol):
    """A text with its label, or None."""

    @property
    def text(self) -> str:
        """The normalised text."""

    @property
    def label(self) -> str | None:
        """Its label's name."""


@dataclass(frozen=True)
class EncodedTexts:
    """The token ids of texts, [CLS] and [SEP] included: text i is `ids[starts[i]:starts[i + 1]]`."""

    ids: NDArray[np.int32]
    """[tokens]"""
    starts: NDArray[np.int64]
    """[texts + 1]"""
    labels: NDArray[np.int16]
    """[texts], -1 for no label."""
    groups: NDArray[np.int64] | None = None
    """[texts], equal for texts with the same words (`group_of`)."""
    two_class: NDArray[np.bool_] | None = None
    """[texts], whether a text's corpus has no neutral texts; None: all corpora have some."""

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text [texts]."""
        return np.diff(self.starts)


def encoded_texts(
    folder: Path,
    digest: str,
    read: Callable[[], Iterable[TextWithLabel]],
    labels: Sequence[str],
    tokenizer: Tokenizer,
    steps: Sequence[str] = (),
) -> EncodedTexts:
    """Return the texts that `read` yields after these steps, tokenised; cached below `folder`.

    `digest` identifies the texts. If two processes ask at once, the work is done once.

    Raises:
        InvalidInput: a text has a label that is not in `labels`, or a step needs a library that is not installed.
    """
    prepared = [steps_key(steps)] if steps else []
    key = content_key(digest, tokenizer.to_str(), json.dumps(list(labels)), str(_FORMAT), *prepared)
    target = folder / key
    build_once(target, lambda draft: _encode(draft, read(), labels, tokenizer, open_steps(steps)))
    return _open(target)


def piece_counts(
    folder: Path,
    digest: str,
    read: Callable[[], Iterable[TextWithLabel]],
    tokenizer: Tokenizer,
    steps: Sequence[str] = (),
) -> Counter[str]:
    """Return how often the texts use each piece; arguments, cache and errors are those of `encoded_texts`."""
    target = folder / f"counts-{content_key(digest, tokenizer.to_str(), str(_FORMAT), steps_key(steps))}"

    def make(draft: Path) -> None:
        step, stream, counts = open_steps(steps), iter(read()), Counter[str]()
        while chunk := list(islice(stream, _CHUNK_TEXTS)):
            counts.update(count_pieces(tokenizer, [step(example.text) for example in chunk]))
        (draft / _COUNTS).write_text(json.dumps(counts))

    build_once(target, make)
    return Counter(json.loads((target / _COUNTS).read_text()))


def group_of(text: str) -> int:
    """Return a number that is equal for normalised texts with the same words, such as copies and retweets."""
    return int.from_bytes(bytes.fromhex(near_duplicate_key(text)[:_GROUP_DIGITS]), signed=True)


def content_key(*parts: str) -> str:
    """Return 32 hex digits of the SHA-256 of the parts."""
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(f"{len(part)}:".encode() + part.encode())
    return hashed.hexdigest()[:32]


def build_once(target: Path, make: Callable[[Path], None]) -> None:
    """Let `make` fill the folder `target` unless it exists; other processes wait and never see half of it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with _lock(target.with_suffix(".lock")):
        if target.is_dir():
            return
        for stale in target.parent.glob(f".draft-{target.name}-*"):  # of killed processes: this one has the lock
            shutil.rmtree(stale, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix=f".draft-{target.name}-", dir=target.parent))
        try:
            make(draft)
            draft.rename(target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _encode(
    folder: Path, examples: Iterable[TextWithLabel], labels: Sequence[str], tokenizer: Tokenizer, step: Step
) -> None:
    tokenizer.no_padding()
    tokenizer.no_truncation()
    numbers: dict[str | None, int] = {None: UNLABELLED, **{label: place for place, label in enumerate(labels)}}
    starts, label_ids, groups = array("q", [0]), array("h"), array("q")
    stream = iter(examples)
    with (folder / _IDS).open("wb") as file:
        while chunk := list(islice(stream, _CHUNK_TEXTS)):
            starts.extend(_write_ids(file, tokenizer, [step(example.text) for example in chunk], starts[-1]))
            label_ids.extend(_number(example, numbers) for example in chunk)
            groups.extend(group_of(example.text) for example in chunk)
    (folder / _STARTS).write_bytes(starts.tobytes())
    (folder / _LABELS).write_bytes(label_ids.tobytes())
    (folder / _GROUPS).write_bytes(groups.tobytes())
    (folder / _FACTS).write_text(json.dumps({"texts": len(label_ids), "tokens": starts[-1], "labels": list(labels)}))


def _write_ids(file: BinaryIO, tokenizer: Tokenizer, texts: Sequence[str], start: int) -> list[int]:
    encodings = tokenizer.encode_batch_fast(texts)
    file.writelines(np.array(encoding.ids, dtype=np.int32).tobytes() for encoding in encodings)
    return list(accumulate((len(encoding.ids) for encoding in encodings), initial=start))[1:]


def _number(example: TextWithLabel, numbers: dict[str | None, int]) -> int:
    if example.label not in numbers:
        names = ", ".join(label for label in numbers if label)
        raise InvalidInput(f"label {shown(example.label)} is not one of the labels of the data: {names}", "data")
    return numbers[example.label]


def _open(folder: Path) -> EncodedTexts:
    facts: dict[str, Any] = json.loads((folder / _FACTS).read_text())
    if facts["tokens"] == 0:
        raise InvalidInput("the dataset version has no texts: push one with texts", "data")
    ids = np.memmap(folder / _IDS, dtype=np.int32, mode="r", shape=(facts["tokens"],))
    starts, groups = (np.fromfile(folder / name, dtype=np.int64) for name in (_STARTS, _GROUPS))
    return EncodedTexts(ids, starts, np.fromfile(folder / _LABELS, dtype=np.int16), groups)
