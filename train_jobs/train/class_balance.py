"""Warnings about classes without training texts: all of their texts are held out, or there are none."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sentiment.datasets.balance import missing_classes
from sentiment.training.config import TrainConfig
from train_jobs.compare.splits import SplitVersions
from train_jobs.train.prepare import RunLocations, find_datasets, split_labels

_LOG = logging.getLogger(__name__)

#: A class with more texts than this cannot be drawn away entirely, so that the data need not be read to check it.
_MANY_TEXTS: Final = 1000


def warn_of_missing_classes(configs: Iterable[TrainConfig], places: RunLocations) -> None:
    """Log one warning for each class that has no training texts in a run of one of `configs`.

    Raises: what `find_datasets` does.
    """
    drawn_alike = {(c.data, c.validation, c.validation_share, c.seed, c.most_rows): c for c in configs}
    _warn(warning for config in drawn_alike.values() for warning in missing_training_classes(config, places))


def warn_of_missing_classes_in(splits: SplitVersions) -> None:
    """Log a warning for each class that the training part of a comparison lacks."""
    others = {part.ref: part.balance for part in (splits.validation, splits.test)}
    _warn(missing_classes(splits.train.labels, splits.train.balance, others, splits.train.ref))


def missing_training_classes(config: TrainConfig, places: RunLocations) -> list[str]:
    """Return a sentence for each class without training texts in a run. Raises what `find_datasets` does."""
    data = find_datasets(config, places)
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
    """Return whether a class is so rare that holding texts out, or `most_rows`, may leave it without any."""
    total = max(sum(balance.values()), 1)
    share = min(config.most_rows or total, total) / total
    is_drawn = config.validation is None or share < 1
    return is_drawn and any(0 < balance.get(label, 0) * share <= _MANY_TEXTS for label in labels)


def _warn(warnings: Iterable[str]) -> None:
    for warning in dict.fromkeys(warnings):
        _LOG.warning("%s", warning)
