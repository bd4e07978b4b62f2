"""Dropout on a CPU: what it drops, what it keeps, and that it can be repeated."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="dropout needs the train extra")

from sentiment.models.architectures.dropout import Dropout  # noqa: E402


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_as_many_elements_are_dropped_as_asked_and_the_mean_stays(share):
    torch.manual_seed(1)
    found = Dropout(share)(torch.ones(400, 1001))
    assert abs(float((found == 0).float().mean()) - share) < 0.004
    assert abs(float(found.mean()) - 1.0) < 0.02
    assert len(found.unique()) == 2


def test_each_of_the_eight_bytes_of_a_number_drops_as_often():
    torch.manual_seed(1)
    found = Dropout(0.25)(torch.ones(80_000)).view(-1, 8)
    shares = (found == 0).float().mean(dim=0)
    assert float((shares - 0.25).abs().max()) < 0.02


def test_what_is_dropped_gets_no_gradient_and_the_rest_the_scaled_one():
    torch.manual_seed(1)
    states = torch.randn(64, 7, requires_grad=True)
    found = Dropout(0.5)(states)
    found.sum().backward()
    assert torch.equal(states.grad == 0, found == 0)
    assert torch.allclose(states.grad[states.grad > 0], torch.tensor(2.0))


def test_the_same_seed_drops_the_same():
    def drawn() -> torch.Tensor:
        torch.manual_seed(5)
        return Dropout(0.3)(torch.ones(33, 5))

    assert torch.equal(drawn(), drawn())
    assert not torch.equal(drawn(), Dropout(0.3)(torch.ones(33, 5)))


def test_out_of_training_nothing_is_dropped_and_without_a_share_neither():
    states = torch.randn(3, 4)
    assert torch.equal(Dropout(0.5).eval()(states), states)
    assert torch.equal(Dropout(0.0)(states), states)
    assert torch.equal(Dropout(1.0)(states), torch.zeros(3, 4))


def test_bfloat16_stays_bfloat16():
    assert Dropout(0.5)(torch.ones(9, dtype=torch.bfloat16)).dtype == torch.bfloat16
