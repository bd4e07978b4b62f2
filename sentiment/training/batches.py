"""Batches of encoded texts: texts of like length together, cut by tokens, so that padding stays near zero."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

import torch
from torch import Tensor

_POOL_BATCHES: Final = 40


class Row(NamedTuple):
    """An encoded text: token ids ([CLS] and [SEP] included), its label's id, whether its corpus knows no neutral."""

    ids: Sequence[int]
    label: int
    two_class: bool


@dataclass(frozen=True)
class Batch:
    """Tensors of one step: `input_ids` and `attention_mask` [batch, tokens], `labels` and `two_class` [batch]."""

    input_ids: Tensor
    attention_mask: Tensor
    labels: Tensor
    two_class: Tensor


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


def collate(rows: Sequence[Row]) -> Batch:
    """Pad rows to the longest of them with id 0 and make tensors of them."""
    longest = max(len(row.ids) for row in rows)
    input_ids = torch.zeros(len(rows), longest, dtype=torch.long)
    attention_mask = torch.zeros(len(rows), longest, dtype=torch.long)
    for number, row in enumerate(rows):
        input_ids[number, : len(row.ids)] = torch.as_tensor(row.ids, dtype=torch.long)
        attention_mask[number, : len(row.ids)] = 1
    labels = torch.tensor([row.label for row in rows])
    return Batch(input_ids, attention_mask, labels, torch.tensor([row.two_class for row in rows]))


def _cut(numbers: Sequence[int], lengths: Sequence[int], most_tokens: int, most_rows: int) -> Iterator[list[int]]:
    batch: list[int] = []
    for number in sorted(numbers, key=lengths.__getitem__):
        if batch and (len(batch) == most_rows or (len(batch) + 1) * lengths[number] > most_tokens):
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch
