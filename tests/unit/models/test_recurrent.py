"""Recurrent networks over texts of different lengths: learning and serving must read the same."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from sentiment.models.architectures.recurrent import Pooling, run_and_pool

_LENGTHS = [7, 1, 0, 4]
_TOKENS = 7


@pytest.fixture
def texts() -> tuple[Tensor, Tensor]:
    """Return inputs [texts, tokens, width] and their attention mask."""
    inputs = torch.randn(len(_LENGTHS), _TOKENS, 5, generator=torch.Generator().manual_seed(1))
    return inputs.requires_grad_(), (torch.arange(_TOKENS) < torch.tensor(_LENGTHS)[:, None]).long()


def network(kind: type[nn.RNNBase], dropout: float = 0.0) -> nn.RNNBase:
    """Return two bidirectional layers with the same weights each time."""
    torch.manual_seed(2)
    return kind(5, 3, 2, batch_first=True, bidirectional=True, dropout=dropout)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
@pytest.mark.parametrize("pooling", get_args(Pooling))
def test_learning_reads_what_serving_reads_and_with_the_same_gradients(
    kind: type[nn.RNNBase], pooling: Pooling, texts: tuple[Tensor, Tensor]
) -> None:
    layers = network(kind)
    told = []
    for is_learning in (True, False):
        pooled = run_and_pool(layers.train(is_learning), *texts, pooling)
        told.append((pooled, *torch.autograd.grad(pooled.square().sum(), [texts[0], *layers.parameters()])))

    for learnt, served in zip(*told, strict=True):
        torch.testing.assert_close(learnt, served)


@pytest.mark.parametrize("is_learning", [True, False])
def test_what_stands_in_the_padding_is_never_read(is_learning: bool, texts: tuple[Tensor, Tensor]) -> None:
    inputs, mask = texts
    layers = network(nn.LSTM).train(is_learning)
    spoilt = torch.where(mask[:, :, None].bool(), inputs, 9.0)

    torch.testing.assert_close(
        run_and_pool(layers, spoilt, mask, "max"), run_and_pool(layers, inputs, mask, "max"), rtol=0, atol=0
    )


def test_dropout_between_the_layers_is_on_in_learning_alone(texts: tuple[Tensor, Tensor]) -> None:
    layers = network(nn.GRU, dropout=0.5)
    learnt = [run_and_pool(layers.train(), *texts, "last") for _ in range(2)]
    served = [run_and_pool(layers.eval(), *texts, "last") for _ in range(2)]

    assert not torch.equal(*learnt)
    assert torch.equal(*served)
