"""Batches of encoded texts: texts of similar length together, bounded by tokens, with very little padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from random import Random
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sentiment.training.batching.encoded import EncodedTexts

_POOL_BATCHES: Final = 40
_BOTH_ENDS: Final = 2


class EncodedText(NamedTuple):
    """A text's token ids ([CLS] and [SEP] included), its label's id, and whether its corpus has no neutral texts."""

    ids: Sequence[int]
    label: int
    two_class: bool = False


@dataclass(frozen=True)
class Batch:
    """The tensors of one batch."""

    input_ids: Tensor
    """[batch, tokens]"""
    attention_mask: Tensor
    """[batch, tokens], 0 at padding."""
    labels: Tensor
    """[batch], -1 if unknown."""
    two_class: Tensor
    """[batch], whether a row's corpus has no neutral texts."""
    teacher_logits: Tensor | None = None
    """[batch, labels]"""
    teacher_states: Tensor | None = None
    """[batch, width], the states before the teacher's last layer."""

    def to(self, device: str) -> Batch:
        """Return the batch on another device."""
        if device == "cpu":
            return self
        parts: dict[str, Any] = {part.name: getattr(self, part.name) for part in fields(self)}
        moved: dict[str, Any] = {name: part if part is None else part.to(device) for name, part in parts.items()}
        return Batch(**moved)


def cut_batches(lengths: Sequence[int], most_tokens: int, most_rows: int, random: Random) -> list[list[int]]:
    """Return batches of row numbers in random order; rows of a batch are of similar length.

    A batch has at most `most_tokens` tokens, padding included, and `most_rows` rows. A longer row is a batch by itself.
    """
    numbers = list(range(len(lengths)))
    random.shuffle(numbers)
    pool = _POOL_BATCHES * most_rows
    pools = (numbers[start : start + pool] for start in range(0, len(numbers), pool))
    batches = [batch for rows in pools for batch in _cut(rows, lengths, most_tokens, most_rows)]
    random.shuffle(batches)
    return batches


def collate(rows: Sequence[EncodedText]) -> Batch:
    """Return the tensors of rows, padded with id 0 to the longest of them."""
    longest = max(len(row.ids) for row in rows)
    input_ids = np.zeros((len(rows), longest), dtype=np.int64)
    for number, row in enumerate(rows):
        input_ids[number, : len(row.ids)] = row.ids
    lengths = np.array([len(row.ids) for row in rows])
    mask = (np.arange(longest) < lengths[:, None]).astype(np.int64)
    labels = torch.tensor([row.label for row in rows])
    two_class = torch.tensor([row.two_class for row in rows])
    return Batch(torch.from_numpy(input_ids), torch.from_numpy(mask), labels, two_class)


def row_of(texts: EncodedTexts, number: int, window_tokens: int, random: Random | None = None) -> EncodedText:
    """Return a text as a row of at most `window_tokens`: its head, or a window drawn by `random`.

    A drawn window is the head, the tail, or a random one, each with probability 1/3: writers tend to say what they
    think at the start and at the end.
    """
    start, end = int(texts.starts[number]), int(texts.starts[number + 1])
    label, two_class = int(texts.labels[number]), texts.two_class is not None and bool(texts.two_class[number])
    if end - start <= window_tokens:
        return EncodedText(texts.ids[start:end], label, two_class)  # type: ignore[arg-type]  # an array is a sequence here
    slack = end - start - window_tokens
    moved = random.choice((0, slack, random.randint(0, slack))) if random else 0
    first = start + 1 + moved
    body = texts.ids[first : first + window_tokens - _BOTH_ENDS]
    ids = np.concatenate([texts.ids[start : start + 1], body, texts.ids[end - 1 : end]])
    return EncodedText(ids, label, two_class)  # type: ignore[arg-type]


def _cut(numbers: Sequence[int], lengths: Sequence[int], most_tokens: int, most_rows: int) -> Iterator[list[int]]:
    batch: list[int] = []
    for number in sorted(numbers, key=lengths.__getitem__):
        if batch and (len(batch) == most_rows or (len(batch) + 1) * lengths[number] > most_tokens):
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch
