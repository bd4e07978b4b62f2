"""Batches of encoded texts: texts of like length together, cut by tokens, so that padding stays near zero."""

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
    """An encoded text: token ids ([CLS] and [SEP] included), its label's id, whether its corpus knows no neutral."""

    ids: Sequence[int]
    label: int
    two_class: bool = False


@dataclass(frozen=True)
class Batch:
    """Tensors of one step: `input_ids` and `attention_mask` [batch, tokens], `labels` and `two_class` [batch].

    Where a teacher is learned from: its logits `teacher_logits` [batch, labels], and, if wanted, the states before its
    last layer `teacher_states` [batch, width]. A label of -1 is unknown.
    """

    input_ids: Tensor
    attention_mask: Tensor
    labels: Tensor
    two_class: Tensor
    teacher_logits: Tensor | None = None
    teacher_states: Tensor | None = None

    def to(self, device: str) -> Batch:
        """Return the batch on another device."""
        if device == "cpu":
            return self
        parts: dict[str, Any] = {part.name: getattr(self, part.name) for part in fields(self)}
        moved: dict[str, Any] = {name: part if part is None else part.to(device) for name, part in parts.items()}
        return Batch(**moved)


def cut_batches(lengths: Sequence[int], most_tokens: int, most_rows: int, random: Random) -> list[list[int]]:
    """Return lists of row numbers in random order, each of like length and of at most `most_tokens` with padding.

    A single row longer than `most_tokens` is a batch of its own.
    """
    numbers = list(range(len(lengths)))
    random.shuffle(numbers)
    pool = _POOL_BATCHES * most_rows
    pools = (numbers[start : start + pool] for start in range(0, len(numbers), pool))
    batches = [batch for rows in pools for batch in _cut(rows, lengths, most_tokens, most_rows)]
    random.shuffle(batches)
    return batches


def collate(rows: Sequence[EncodedText]) -> Batch:
    """Pad rows to the longest of them with id 0 and make tensors of them."""
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
    """Return a text as a row of at most `window_tokens`: its head, or with `random` a window drawn by it.

    A third of the windows that are drawn are heads, a third tails, a third from anywhere: writers say what they think
    at the start and at the end.
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
