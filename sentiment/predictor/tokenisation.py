"""Texts become windows of word pieces, by the steps and the tokenizer that travel with the weights."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tokenizers import Tokenizer

from sentiment.errors import InvalidInput, ModelRejected
from sentiment.text.steps import open_steps
from sentiment.version import TOKENIZER, Version

_PROBE: Final = "a"
_PAD: Final = "[PAD]"
_UNKNOWN: Final = ("[UNK]", "<unk>")


@dataclass(frozen=True, slots=True)
class TextPieces:
    """A text's windows, each a list of piece ids with [CLS] and [SEP], and how many of them are the text's own.

    `body_tokens[i]` is the weight of window i. `truncated` says that some windows of a long text were left out.
    `unknown_share` of the pieces of its words are unknown; of a text without words, of all its pieces.
    """

    windows: list[list[int]]
    body_tokens: list[int]
    truncated: bool
    unknown_share: float = 0.0


class Tokenisation:
    """Does a version's steps and cuts texts into windows. Holds no state between calls: threads may share one."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        window_tokens: int,
        overlap_tokens: int,
        max_windows: int,
        steps: Sequence[str] = (),
    ) -> None:
        self._steps = open_steps(steps)
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer = tokenizer
        self._before, self._after = _special_ids(tokenizer)
        self._overlap_tokens = overlap_tokens
        self._max_windows = max_windows
        self._capacity = window_tokens - len(self._before) - len(self._after)
        self.pad_id: int = tokenizer.token_to_id(_PAD) or 0
        self._unknown_id = _unknown_id(tokenizer)

    def split(self, texts: Sequence[str]) -> list[TextPieces]:
        """Return the pieces of each text. Never raises on a str; lone surrogates are read as question marks."""
        read = [self._steps(_encodable(text)) for text in texts]
        encodings = self._tokenizer.encode_batch_fast(read)
        return [self._windows(text, encoding.ids) for text, encoding in zip(read, encodings, strict=True)]

    def _windows(self, text: str, ids: list[int]) -> TextPieces:
        count = len(ids) - len(self._before) - len(self._after)
        unknown = self._unknown_share(text) if self._unknown_id in ids else 0.0
        if count <= self._capacity:
            return TextPieces([ids], [max(count, 1)], truncated=False, unknown_share=unknown)
        body = ids[len(self._before) : len(self._before) + count]
        starts = window_starts(count, self._capacity, self._overlap_tokens)
        selected = evenly_spread(starts, self._max_windows)
        parts = [body[start : start + self._capacity] for start in selected]
        windows = [[*self._before, *part, *self._after] for part in parts]
        return TextPieces(windows, [len(part) for part in parts], len(selected) < len(starts), unknown)

    def _unknown_share(self, text: str) -> float:
        """Return the share of unknown pieces among those of words: an emoji that is unknown hides no word."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        spans = zip(encoding.ids, encoding.offsets, strict=True)
        pieces = [(is_word(text[begin:end]), piece == self._unknown_id) for piece, (begin, end) in spans]
        counted = [unknown for word, unknown in pieces if word] or [unknown for _, unknown in pieces]
        return sum(counted) / max(len(counted), 1)


def load_tokenisation(version: Version) -> Tokenisation:
    """Load the tokenizer of `version`.

    Raises:
        ModelRejected: its tokenizer.json cannot be read, or a step needs a library that is not installed.
    """
    manifest = version.manifest
    sizes = (manifest.window_tokens, manifest.window_overlap_tokens, manifest.max_windows)
    try:
        return Tokenisation(_read(version.file(TOKENIZER)), *sizes, steps=manifest.steps)
    except InvalidInput as exc:
        raise ModelRejected(f"version {version.digest[:12]} of {manifest.name} cannot be read: {exc}") from exc


def window_starts(count: int, capacity: int, overlap: int) -> list[int]:
    """Return where windows of `capacity` pieces start so that they cover `count` pieces, each sharing `overlap`."""
    return [0, *range(capacity - overlap, count - overlap, capacity - overlap)]


def evenly_spread(starts: Sequence[int], most: int) -> list[int]:
    """Return at most `most` of `starts`, evenly spread, the first and (from two on) the last among them."""
    if len(starts) <= most:
        return list(starts)
    gaps = max(most - 1, 1)
    return [starts[round(place * (len(starts) - 1) / gaps)] for place in range(most)]


def is_word(piece: str) -> bool:
    """Return whether there is a letter, a digit or a mark of a letter in it."""
    return any(unicodedata.category(character)[0] in "LMN" for character in piece)


def _unknown_id(tokenizer: Tokenizer) -> int | None:
    """Return the id of what the tokenizer does not know, None where it spells everything."""
    names = (getattr(tokenizer.model, "unk_token", None), *_UNKNOWN)
    return next((id_ for name in names if name and (id_ := tokenizer.token_to_id(name)) is not None), None)


def _special_ids(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Return the ids that the tokenizer puts before and after a text's own."""
    encoding = tokenizer.encode(_PROBE)
    mask = encoding.special_tokens_mask
    if 0 not in mask:
        raise ModelRejected(f"{TOKENIZER} makes no piece of {_PROBE!r}; export the tokenizer with its whole vocabulary")
    first, last = mask.index(0), len(mask) - mask[::-1].index(0)
    return encoding.ids[:first], encoding.ids[last:]


def _read(path: Path) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(path))
    except Exception as exc:  # the library raises nothing narrower
        raise ModelRejected(f"{path} is not a tokenizer: {exc}") from exc


def _encodable(text: str) -> str:
    return text if text.isascii() else text.encode(errors="replace").decode()
