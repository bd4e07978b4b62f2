"""What workers agree on before they train: to go on, or why not; and what is worth another try."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="training needs the train extra")
pytest.importorskip("ray", reason="training needs the train extra")

from sentiment.errors import InvalidInput, StoreUnavailable, UndertoneError
from sentiment.training.fit import TrainingLoop
from sentiment.training.team import Team
from train_jobs.train.ray_train import agreed

FIT = object.__new__(TrainingLoop)


class Beside(Team):
    """A worker beside another one, who says `other`."""

    def __init__(self, other: UndertoneError | None) -> None:
        super().__init__(0, 2)
        object.__setattr__(self, "other", other)
        object.__setattr__(self, "said", [])

    def gather(self, value: object) -> list[object]:
        self.said.append(value)
        return [value, self.other]


def test_workers_that_are_all_ready_train() -> None:
    assert agreed(Beside(None), lambda: FIT) is FIT


def test_what_one_worker_cannot_begin_no_worker_begins() -> None:
    refusal, team = InvalidInput("two classes are needed", "data"), Beside(None)

    def refuse() -> TrainingLoop:
        raise refusal

    assert agreed(team, refuse) is refusal
    assert team.said == [refusal]
    assert agreed(Beside(refusal), lambda: FIT) is refusal


def test_what_may_come_back_is_raised_so_that_it_is_tried_again() -> None:
    def away() -> TrainingLoop:
        raise StoreUnavailable("the bucket does not answer")

    with pytest.raises(StoreUnavailable):
        agreed(Beside(None), away)
