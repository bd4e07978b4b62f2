"""Both directions of a recurrent network over texts of any length, padding never read."""

from __future__ import annotations

from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

#: How the states of a text's tokens become one: both directions' last ones, their mean, or the largest of each number.
Pooling = Literal["last", "mean", "max"]

_BELOW_ALL: Final = 2.0  # the outputs of LSTM and GRU are between -1 and 1


def run_and_pool(network: nn.RNNBase, inputs: Tensor, attention_mask: Tensor, pooling: Pooling) -> Tensor:
    """Run a bidirectional `network` over `inputs` [batch, tokens, width]; return pooled states [batch, 2·hidden].

    `attention_mask` [batch, tokens] is 0 at padding, which is on the right. Sequences are packed, so that the reverse
    direction starts at a text's own last token; on export this becomes the lengths that ONNX's LSTM and GRU take. A
    text of no tokens counts as one of zeros.
    """
    visible = attention_mask.to(inputs.dtype)[:, :, None]
    lengths = attention_mask.sum(dim=1).clamp(min=1).cpu()
    packed = pack_padded_sequence(inputs * visible, lengths, batch_first=True, enforce_sorted=False)
    outputs, last = network(packed)
    if pooling == "last":
        states = last[0] if isinstance(last, tuple) else last
        return torch.cat([states[-2], states[-1]], dim=-1)
    padded, _ = pad_packed_sequence(outputs, batch_first=True)
    return _pool(padded, visible[:, : padded.shape[1]], pooling)


def _pool(outputs: Tensor, visible: Tensor, pooling: Pooling) -> Tensor:
    """Pool outputs [batch, tokens, width], which are 0 where `visible` [batch, tokens, 1] is."""
    if pooling == "mean":
        return outputs.sum(dim=1) / visible.sum(dim=1).clamp(min=1.0)
    return (outputs - (1.0 - visible) * _BELOW_ALL).amax(dim=1)
