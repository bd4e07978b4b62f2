"""Classes that a run would not learn: all their texts are held out, or there are none."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sentiment.datasets.balance import missing_classes
from sentiment.training.config import TrainConfig
from train_jobs.compare.splits import Splits
from train_jobs.train.prepare import Places, find_data, split_labels

_LOG = logging.getLogger(__name__)

#: Texts of a class from which no draw of whole groups leaves it out; with as many, the data need not be read for it.
_MANY_TEXTS: Final = 1000


def warn_of_unlearnt(configs: Iterable[TrainConfig], places: Places) -> None:
    """Log a warning for each class that a run of one of `configs` would not train on; each is told once.

    Raises: what `find_data` does.
    """
    drawn_alike = {(c.data, c.validation, c.validation_share, c.seed, c.most_rows): c for c in configs}
    _warn(warning for config in drawn_alike.values() for warning in unlearnt_classes(config, places))


def warn_of_unlearnt_in(splits: Splits) -> None:
    """Log a warning for each class that the training part of a comparison lacks."""
    others = {part.ref: part.balance for part in (splits.validation, splits.test)}
    _warn(missing_classes(splits.train.labels, splits.train.balance, others, splits.train.ref))


def unlearnt_classes(config: TrainConfig, places: Places) -> list[str]:
    """Return a sentence for each class of the data that a run would not train on. Raises what `find_data` does."""
    data = find_data(config, places)
    trained: Mapping[str, int] = data.train.balance
    others = {data.validation.ref: data.validation.balance} if data.validation else {}
    if _may_lose_one(config, trained, data.labels):
        labels, train, held_out = split_labels(config, places, data)
        trained = _counted(labels, train.tolist())
        others = others or {"the texts held out for validation": _counted(labels, held_out.tolist())}
    return missing_classes(data.labels, trained, others, data.train.ref)


def _counted(labels: Sequence[str | None], places: Iterable[int]) -> Counter[str]:
    return Counter(label for place in places if (label := labels[place]) is not None)


def _may_lose_one(config: TrainConfig, balance: Mapping[str, int], labels: Sequence[str]) -> bool:
    """Return whether a draw may leave a class without a text: some are held out or left out, and it has few."""
    total = max(sum(balance.values()), 1)
    kept = min(config.most_rows or total, total) / total
    is_drawn = config.validation is None or kept < 1
    return is_drawn and any(0 < balance.get(label, 0) * kept <= _MANY_TEXTS for label in labels)


def _warn(warnings: Iterable[str]) -> None:
    for warning in dict.fromkeys(warnings):
        _LOG.warning("%s", warning)
