"""Length is cost: windows are sorted by length, cut into batches by padded tokens, and a bad one fails alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Window:
    """A window of a text: `text` is the text's index, `ids` its pieces, `weight` its say in the text's logits."""

    text: int
    ids: list[int]
    weight: int


class Padded(NamedTuple):
    """A batch as engines take it: piece ids and the attention mask, both int64 [batch, tokens]."""

    input_ids: NDArray[np.int64]
    attention_mask: NDArray[np.int64]


Forward = Callable[[Padded], Logits]


def cut(windows: Sequence[Window], batch_tokens: int, pass_tokens: int) -> list[list[Window]]:
    """Sort windows by length, longest first, and cut the batches that cost least, of at most `batch_tokens` each.

    A batch costs its padded tokens and `pass_tokens` more. A window that is longer than `batch_tokens` is a batch of
    its own. The least cost of the first n windows is that of fewer ones and one batch more: n steps find it.
    """
    ordered = sorted(windows, key=lambda window: -len(window.ids))
    lengths = np.array([len(window.ids) for window in ordered], dtype=np.int64)
    least = np.zeros(len(ordered) + 1, dtype=np.int64)  # cost of the first n windows
    begins: list[int] = []  # where the last batch of the first n begins
    first = 0
    for end in range(1, len(ordered) + 1):
        while first < end - 1 and (end - first) * lengths[first] > batch_tokens:
            first += 1
        costs = least[first:end] + lengths[first:end] * np.arange(end - first, 0, -1)
        begins.append(first + int(costs.argmin()))
        least[end] = costs.min() + pass_tokens
    batches: list[list[Window]] = []
    end = len(ordered)
    while end:
        batches.append(ordered[begins[end - 1] : end])
        end = begins[end - 1]
    return batches[::-1]


def pad(batch: Sequence[Window], pad_id: int) -> Padded:
    """Return `batch` as arrays, padded to its longest window."""
    lengths = np.fromiter((len(window.ids) for window in batch), dtype=np.int64, count=len(batch))
    mask = np.arange(lengths.max()) < lengths[:, None]
    ids = np.full(mask.shape, pad_id, dtype=np.int64)
    ids[mask] = np.concatenate([window.ids for window in batch])
    return Padded(ids, mask.astype(np.int64))


def forward_each(batch: Sequence[Window], forward: Forward, pad_id: int) -> list[Logits | Exception]:
    """Return the logits of each window, or what its forward pass raised.

    A batch that fails is halved until the bad window is alone: one bad window among n costs at most 2·⌈log2 n⌉ more
    passes. Logits that are not finite count as a failure, since in int8 one such row spoils the scale of all others.
    """
    try:
        return list(_finite(forward(pad(batch, pad_id))))
    except Exception as exc:  # noqa: BLE001 - engines raise what they like
        if len(batch) == 1:
            return [exc]
    half = len(batch) // 2
    return forward_each(batch[:half], forward, pad_id) + forward_each(batch[half:], forward, pad_id)


def _finite(logits: Logits) -> Logits:
    if not np.isfinite(logits).all():
        raise ArithmeticError("the model's logits are not finite")
    return logits
