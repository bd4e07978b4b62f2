"""Make ready what a run learns from: the model to start from, the texts tokenised (once), the teacher's lesson (once).

python -m train_jobs.train.prepare --data tweets@3 --model minilm
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from sentiment.datasets import DatasetStore, DatasetVersion, open_datasets
from sentiment.errors import InvalidInput
from sentiment.models.bundle import Start
from sentiment.models.vocabulary import CountPieces
from sentiment.models.zoo import build
from sentiment.registry import Registry, find_version, is_folder, parse_reference, resolve_model
from sentiment.settings import Settings, load_settings
from sentiment.text import CURRENT_NORMALIZER
from sentiment.text.steps import open_steps
from sentiment.training.batching.encoded import UNLABELLED, content_key, encoded_texts, group_of, piece_counts
from sentiment.training.batching.plan import BatchPlan, split
from sentiment.training.config import TrainConfig
from sentiment.training.objectives.objective import Lesson, TrainingData, dtype_of
from sentiment.training.objectives.teacher import learn_from
from sentiment.training.validation import ValidationSet
from train_jobs.runtime.output import told
from train_jobs.train.training_texts import Corpus, corpora_of, further_texts, training_texts

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Places:
    """Where a run finds its data and keeps what it makes, on whatever node a worker is.

    Ray shows what a training is given, as text, on its dashboard: the registry's address may hold a password.
    """

    home: str
    datasets: str
    s3_endpoint: str | None
    registry: str = field(repr=False)
    model_name: str

    @classmethod
    def of(cls, settings: Settings, registry: str | None = None) -> Places:
        """Take the places from the settings; `registry` is the MLflow server that was found or started."""
        uri = registry or settings.registry_uri
        return cls(str(settings.home), settings.datasets_uri, settings.s3_endpoint, uri, settings.model_name)

    @property
    def store(self) -> DatasetStore:
        """The store of the dataset versions."""
        return open_datasets(self.datasets, self.s3_endpoint)

    @property
    def encoded(self) -> Path:
        """Folder of tokenised texts and lessons."""
        return Path(self.home) / "encoded"


@dataclass(frozen=True)
class Data:
    """The dataset versions of a run: to train on, and to validate on if that is another; and labels in their order."""

    train: DatasetVersion
    validation: DatasetVersion | None

    @property
    def labels(self) -> tuple[str, ...]:
        """The label set."""
        return self.train.labels


def find_data(config: TrainConfig, places: Places) -> Data:
    """Look up the dataset versions of a run.

    Raises:
        InvalidInput: the versions have no labels or are of different label sets, were normalised by an older rule than
            this code's, or nothing is left to validate on.
        NotFound: there is no such version.
    """
    if not config.data:
        raise InvalidInput("no data is named: give --data NAME@VERSION, as `undertone data list` shows them", "data")
    train = places.store.find(config.data)
    validation = places.store.find(config.validation) if config.validation else None
    _require_fit(train, "data")
    if validation and validation.labels != train.labels:
        raise InvalidInput(
            f"{validation.ref} has the labels {', '.join(validation.labels) or 'none'}; {train.ref} has "
            f"{', '.join(train.labels)}: validate on data of the same label set",
            "validation",
        )
    if validation:
        _require_fit(validation, "validation")
    elif config.validation_share == 0:
        raise InvalidInput("nothing is held out: name a --validation dataset, or a validation_share", "validation")
    return Data(train, validation)


def _require_fit(version: DatasetVersion, field: str) -> None:
    if not version.labels:
        raise InvalidInput(f"{version.ref} has no labels: name a version that was pushed with --label-column", field)
    if version.normalizer != CURRENT_NORMALIZER:  # the model's manifest will say that it was trained with this one
        raise InvalidInput(
            f"{version.ref} is normalised with version {version.normalizer!r}, this code trains and serves with "
            f"{CURRENT_NORMALIZER!r}: push the data again, or what `undertone data pull` copies of it to a file",
            field,
        )


def require_trainable(config: TrainConfig, places: Places) -> None:
    """Refuse, before anything is started for it, a run whose data, model or further texts are not there.

    Raises:
        InvalidInput: data, model and configuration do not go together, naming the field.
        NotFound: there is no such version.
    """
    start_of(config, len(find_data(config, places).labels))
    if config.distill and config.distill.unlabelled:
        next(iter(further_texts(config.distill.unlabelled, places.s3_endpoint)), None)


def pinned(config: TrainConfig, places: Places) -> TrainConfig:
    """Return the configuration with numbers for what may move while a run lasts: data of `@latest`, a teacher's alias.

    What names something on this disk is named by its whole path: Ray's workers work in a folder of their own.

    Raises: what `find_data` does; NotFound or RegistryUnavailable for a teacher.
    """
    data = find_data(config, places)
    validation = data.validation.ref if data.validation else None
    backbone = whole_path(config.backbone) if config.backbone else None
    named = replace(config, data=data.train.ref, validation=validation, backbone=backbone)
    if (lesson := config.distill) is None:
        return named
    unlabelled = whole_path(lesson.unlabelled) if lesson.unlabelled else None
    return replace(named, distill=replace(lesson, teacher=fixed_teacher(lesson.teacher, places), unlabelled=unlabelled))


def whole_path(name: str) -> str:
    """Return the whole path of a folder or a file; what is none, such as a name of the hub's, stays."""
    return str(Path(name).absolute()) if Path(name).exists() else name


def fixed_teacher(text: str, places: Places) -> str:
    """Return what `fixed_reference` does, a folder by its whole path. Raises what that does."""
    return str(Path(text).absolute()) if is_folder(text) else fixed_reference(text, places)


def fixed_reference(text: str, places: Places) -> str:
    """Return what names a model version, with the version's number where it was an alias; a folder stays.

    Raises:
        InvalidInput: it is no reference.
        NotFound, RegistryUnavailable: no version bears the alias, or the registry does not answer.
    """
    if is_folder(text) or isinstance((ref := parse_reference(text, places.model_name)).which, int):
        return text
    return str(replace(ref, which=find_version(Registry(places.registry), ref).version))


def prepare(config: TrainConfig, places: Places, workers: int = 1, device: str = "cpu") -> tuple[Start, TrainingData]:
    """Return the model to train and what it learns from; on a node where this was done before, it is read from disk.

    Raises:
        InvalidInput: data, model and configuration do not go together.
    """
    data = find_data(config, places)
    corpora = corpora_of(config, data.train, places.store, places.s3_endpoint)
    start = start_of(config, len(data.labels), lambda tokenizer: _counts(config, places, corpora, tokenizer))
    learnt = training_texts(config, corpora)
    texts = encoded_texts(places.encoded, learnt.digest, learnt.read, data.labels, start.tokenizer, start.steps)
    share = 0.0 if data.validation else config.validation_share
    train, held_out = split(texts.labels, share, config.seed, config.most_rows, texts.groups)
    judged = ValidationSet(texts, held_out, config.window_tokens)
    if other := data.validation:
        found = encoded_texts(
            places.encoded,
            other.digest,
            lambda: places.store.read(other),
            data.labels,
            start.tokenizer,
            start.steps,
        )
        judged = ValidationSet(found, np.flatnonzero(found.labels >= 0), config.window_tokens)
    if not len(judged.numbers) or not len(train):
        raise InvalidInput(f"{data.train.ref} has too few labelled texts to train and to validate on", "data")
    lesson = _lesson(config, places, learnt, data.labels, device)
    return start, TrainingData(BatchPlan(texts, train, config, workers), judged, lesson)


def held_out_texts(config: TrainConfig, places: Places) -> list[tuple[str, str]]:
    """Return the texts that a run validates on, each with its label's name."""
    data = find_data(config, places)
    rows = [(example.text, example.label) for example in places.store.read(data.validation or data.train)]
    if data.validation is None:
        rows = [rows[number] for number in split_labels(config, places, data)[2]]
    return [(text, label) for text, label in rows if label is not None]


def split_labels(
    config: TrainConfig, places: Places, data: Data
) -> tuple[Sequence[str | None], NDArray[np.int64], NDArray[np.int64]]:
    """Return the labels of all texts that a run learns from, and the places of those trained on and held out."""
    corpora = corpora_of(config, data.train, places.store, places.s3_endpoint)
    read = training_texts(config, corpora).read
    labels, groups = zip(*((example.label, group_of(example.text)) for example in read()), strict=True)
    ids = np.array([UNLABELLED if label is None else 1 for label in labels], dtype=np.int16)
    share = 0.0 if data.validation else config.validation_share
    return labels, *split(ids, share, config.seed, config.most_rows, np.array(groups))


def digest_of(held_out: Iterable[tuple[str, str]]) -> str:
    """Return what tells the texts that a run validates on, with their labels, from any others."""
    return content_key(*(f"{label} {text}" for text, label in held_out))


def start_of(config: TrainConfig, labels: int, counts: CountPieces | None = None) -> Start:
    """Build the untrained model of a run; the same seed and the same `counts` of the texts' pieces build the same.

    Raises:
        InvalidInput: there is no such preset, windows are longer than what the model reads, or a step needs a library
            that is not installed.
    """
    open_steps(config.steps)
    torch.manual_seed(config.seed)
    start = build(config.model, labels, backbone=config.backbone, overrides=config.overrides, counts=counts)
    longest = getattr(start.config, "positions", config.window_tokens)
    if config.window_tokens > longest:
        raise InvalidInput(f"window_tokens is {config.window_tokens}; {config.model} reads {longest}", "window_tokens")
    return replace(start, steps=config.steps)


def _counts(config: TrainConfig, places: Places, corpora: Sequence[Corpus], tokenizer: Tokenizer) -> list[Counter[str]]:
    return [piece_counts(places.encoded, each.digest, each.read, tokenizer, config.steps) for each in corpora]


def teacher_folder(config: TrainConfig, places: Places) -> Path:
    """Return the folder of the teacher, fetched from the registry if it is named so. Raises what the registry does."""
    if config.distill is None:
        raise InvalidInput("the configuration names no teacher", "distill")
    if is_folder(config.distill.teacher):
        return Path(config.distill.teacher)
    settings = load_settings(home=Path(places.home))
    return resolve_model(settings, config.distill.teacher, Registry(places.registry)).folder


def _lesson(
    config: TrainConfig,
    places: Places,
    learnt: Corpus,
    labels: Sequence[str],
    device: str,
) -> Lesson | None:
    if config.distill is None:
        return None
    teacher, states = teacher_folder(config, places), config.distill.hidden_weight > 0
    dtype = dtype_of(config.dtype, device)
    return learn_from(
        teacher, places.encoded, learnt.digest, learnt.read, labels, states=states, device=device, dtype=dtype
    )


def main(arguments: Sequence[str]) -> None:
    """Prepare a run of the command line on this machine, and write what it will learn from as one line of JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m train_jobs.train.prepare", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--data", required=True, help="dataset version to train on")
    parser.add_argument("--model", default="minilm", help="preset of the model (default: minilm)")
    options = parser.parse_args(arguments)
    with told():
        _, data = prepare(TrainConfig(model=options.model, data=options.data), Places.of(load_settings()))
        plan = data.plan
        facts = {"texts": len(plan.texts), "tokens": len(plan.texts.ids), "held_out": len(data.held_out.numbers)}
        sys.stdout.write(json.dumps({**facts, "steps_an_epoch": plan.steps_by_epoch[0]}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
