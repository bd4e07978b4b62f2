"""Classes that a dataset has and its training part has not: no model can learn them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Balance = Mapping[str, int]  #: texts by label


def missing_classes(labels: Sequence[str], trained: Balance, others: Mapping[str, Balance], train: str) -> list[str]:
    """Return a sentence for each of `labels` that no text trained on has.

    `others` are the texts by label of other parts, by what these are called; `train` is what is trained on.
    """
    return [_sentence(label, others, train) for label in labels if not trained.get(label)]


def _sentence(label: str, others: Mapping[str, Balance], train: str) -> str:
    there = {part: balance[label] for part, balance in others.items() if balance.get(label)}
    places = " and ".join(f"{count:,} in {part}" for part, count in there.items())
    where = f"all of them are elsewhere ({places})" if places else "nor is one held out"
    return (
        f"No text of {train} that is trained on is {label}; {where}: no model can learn that class from it. Push more "
        "of them, or split with another seed."
    )
