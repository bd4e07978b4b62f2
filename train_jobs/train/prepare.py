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
from sentiment.models.bundle import ModelBundle
from sentiment.models.vocabulary import CountPieces
from sentiment.models.zoo import build
from sentiment.registry import Registry, find_version, is_folder, parse_reference, resolve_model
from sentiment.settings import Settings, load_settings
from sentiment.text import CURRENT_NORMALIZER
from sentiment.text.steps import open_steps
from sentiment.training.batching.encoded import UNLABELLED, content_key, encoded_texts, group_of, piece_counts
from sentiment.training.batching.plan import BatchPlan, split
from sentiment.training.config import TrainConfig
from sentiment.training.objectives.objective import TeacherTargets, TrainingData, dtype_of
from sentiment.training.objectives.teacher import teacher_targets
from sentiment.training.validation import ValidationSet
from train_jobs.runtime.output import job_output
from train_jobs.train.training_texts import Corpus, corpora_of, further_texts, training_texts

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunLocations:
    """Where a run finds its data and stores its results, the same for the workers on all nodes."""

    home: str
    datasets: str  #: folder or s3:// address of the dataset versions
    s3_endpoint: str | None
    registry: str = field(repr=False)  #: MLflow server; Ray's dashboard shows the repr, and this may hold a password
    model_name: str

    @classmethod
    def of(cls, settings: Settings, registry: str | None = None) -> RunLocations:
        """Return the locations that the settings name; `registry` is the MLflow server that answers."""
        uri = registry or settings.registry_uri
        return cls(str(settings.home), settings.datasets_uri, settings.s3_endpoint, uri, settings.model_name)

    @property
    def store(self) -> DatasetStore:
        """The store of the dataset versions."""
        return open_datasets(self.datasets, self.s3_endpoint)

    @property
    def encoded(self) -> Path:
        """Folder of the caches: tokenised texts and teachers' answers."""
        return Path(self.home) / "encoded"


@dataclass(frozen=True)
class RunDatasets:
    """The dataset versions of a run; without `validation`, a part of `train` is held out."""

    train: DatasetVersion
    validation: DatasetVersion | None

    @property
    def labels(self) -> tuple[str, ...]:
        """The label set."""
        return self.train.labels


def find_datasets(config: TrainConfig, places: RunLocations) -> RunDatasets:
    """Look up the dataset versions of a run.

    Raises:
        InvalidInput: the versions have no labels or different label sets, were normalised by another normaliser than
            the current one, or nothing is left to validate on.
        NotFound: there is no such version.
    """
    if not config.data:
        raise InvalidInput("no data is named: give --data NAME@VERSION; `undertone data list` shows them", "data")
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
        remedy = "name a --validation dataset, or set validation_share above 0"
        raise InvalidInput(f"there are no texts to validate on: {remedy}", "validation")
    return RunDatasets(train, validation)


def _require_fit(version: DatasetVersion, field: str) -> None:
    if not version.labels:
        raise InvalidInput(f"{version.ref} has no labels: name a version that was pushed with --label-column", field)
    if version.normalizer != CURRENT_NORMALIZER:  # the model's manifest will say that it was trained with this one
        raise InvalidInput(
            f"{version.ref} was normalised by normaliser {version.normalizer!r}, but new models need "
            f"{CURRENT_NORMALIZER!r}: push the data again, from its source or from what `undertone data pull` writes",
            field,
        )


def require_trainable(config: TrainConfig, places: RunLocations) -> None:
    """Check that the data, the model and the further texts of a run exist, before anything is started for it.

    Raises:
        InvalidInput: data, model and configuration do not go together, naming the field.
        NotFound: there is no such version.
    """
    build_model(config, len(find_datasets(config, places).labels))
    if config.distill and config.distill.unlabelled:
        next(iter(further_texts(config.distill.unlabelled, places.s3_endpoint)), None)


def with_fixed_versions(config: TrainConfig, places: RunLocations) -> TrainConfig:
    """Return the configuration with `@latest` and aliases replaced by numbers: they may move while the run lasts.

    Paths become absolute: Ray's workers run in a folder of their own.

    Raises: what `find_datasets` does; NotFound or RegistryUnavailable for a teacher.
    """
    data = find_datasets(config, places)
    validation = data.validation.ref if data.validation else None
    backbone = absolute_path(config.backbone) if config.backbone else None
    fixed = replace(config, data=data.train.ref, validation=validation, backbone=backbone)
    if (distill := config.distill) is None:
        return fixed
    unlabelled = absolute_path(distill.unlabelled) if distill.unlabelled else None
    return replace(
        fixed, distill=replace(distill, teacher=fixed_teacher(distill.teacher, places), unlabelled=unlabelled)
    )


def absolute_path(name: str) -> str:
    """Return the absolute path of an existing file or folder; other names, such as one on the hub, stay as they are."""
    return str(Path(name).absolute()) if Path(name).exists() else name


def fixed_teacher(text: str, places: RunLocations) -> str:
    """Return a teacher's folder as an absolute path, or its reference by number. Raises what `fixed_reference` does."""
    return str(Path(text).absolute()) if is_folder(text) else fixed_reference(text, places)


def fixed_reference(text: str, places: RunLocations) -> str:
    """Return a reference to a model version by its number, not by an alias; a folder stays as it is.

    Raises:
        InvalidInput: `text` is no reference.
        NotFound, RegistryUnavailable: no version has the alias, or the registry does not answer.
    """
    if is_folder(text) or isinstance((ref := parse_reference(text, places.model_name)).which, int):
        return text
    return str(replace(ref, which=find_version(Registry(places.registry), ref).version))


def prepare(
    config: TrainConfig, places: RunLocations, workers: int = 1, device: str = "cpu"
) -> tuple[ModelBundle, TrainingData]:
    """Return the model to train and its training data; a node that prepared them before reads its cache.

    Raises:
        InvalidInput: data, model and configuration do not go together.
    """
    data = find_datasets(config, places)
    corpora = corpora_of(config, data.train, places.store, places.s3_endpoint)
    start = build_model(config, len(data.labels), lambda tokenizer: _counts(config, places, corpora, tokenizer))
    corpus = training_texts(config, corpora)
    texts = encoded_texts(places.encoded, corpus.digest, corpus.read, data.labels, start.tokenizer, start.steps)
    share = 0.0 if data.validation else config.validation_share
    train, held_out = split(texts.labels, share, config.seed, config.most_rows, texts.groups)
    validation_set = ValidationSet(texts, held_out, config.window_tokens)
    if other := data.validation:
        encoded = encoded_texts(
            places.encoded,
            other.digest,
            lambda: places.store.read(other),
            data.labels,
            start.tokenizer,
            start.steps,
        )
        validation_set = ValidationSet(encoded, np.flatnonzero(encoded.labels >= 0), config.window_tokens)
    if not len(validation_set.numbers) or not len(train):
        remedy = "name a larger dataset version, or another one for --validation"
        raise InvalidInput(f"{data.train.ref} has too few labelled texts to train and validate on: {remedy}", "data")
    targets = _targets(config, places, corpus, data.labels, device)
    return start, TrainingData(BatchPlan(texts, train, config, workers), validation_set, targets)


def held_out_texts(config: TrainConfig, places: RunLocations) -> list[tuple[str, str]]:
    """Return the texts that a run validates on, each with its label's name."""
    data = find_datasets(config, places)
    rows = [(example.text, example.label) for example in places.store.read(data.validation or data.train)]
    if data.validation is None:
        rows = [rows[number] for number in split_labels(config, places, data)[2]]
    return [(text, label) for text, label in rows if label is not None]


def split_labels(
    config: TrainConfig, places: RunLocations, data: RunDatasets
) -> tuple[Sequence[str | None], NDArray[np.int64], NDArray[np.int64]]:
    """Return the labels of all texts of a run, and the positions of the training and of the held-out texts."""
    corpora = corpora_of(config, data.train, places.store, places.s3_endpoint)
    read = training_texts(config, corpora).read
    labels, groups = zip(*((example.label, group_of(example.text)) for example in read()), strict=True)
    ids = np.array([UNLABELLED if label is None else 1 for label in labels], dtype=np.int16)
    share = 0.0 if data.validation else config.validation_share
    return labels, *split(ids, share, config.seed, config.most_rows, np.array(groups))


def digest_of(held_out: Iterable[tuple[str, str]]) -> str:
    """Return a digest of held-out texts and their labels, in order."""
    return content_key(*(f"{label} {text}" for text, label in held_out))


def build_model(config: TrainConfig, labels: int, counts: CountPieces | None = None) -> ModelBundle:
    """Build the untrained model of a run; equal seeds and equal piece `counts` give equal weights.

    Raises:
        InvalidInput: there is no such preset, `window_tokens` is more than the model reads, or a text step needs a
            library that is not installed.
    """
    open_steps(config.steps)
    torch.manual_seed(config.seed)
    start = build(config.model, labels, backbone=config.backbone, overrides=config.overrides, counts=counts)
    most_tokens = getattr(start.config, "positions", config.window_tokens)
    if config.window_tokens > most_tokens:
        raise InvalidInput(
            f"window_tokens is {config.window_tokens}; {config.model} reads at most {most_tokens}", "window_tokens"
        )
    return replace(start, steps=config.steps)


def _counts(
    config: TrainConfig, places: RunLocations, corpora: Sequence[Corpus], tokenizer: Tokenizer
) -> list[Counter[str]]:
    return [piece_counts(places.encoded, each.digest, each.read, tokenizer, config.steps) for each in corpora]


def teacher_folder(config: TrainConfig, places: RunLocations) -> Path:
    """Return the folder of the teacher, downloaded if a reference names it. Raises what the registry does."""
    if config.distill is None:
        raise InvalidInput("the configuration names no teacher: set distill.teacher", "distill")
    if is_folder(config.distill.teacher):
        return Path(config.distill.teacher)
    settings = load_settings(home=Path(places.home))
    return resolve_model(settings, config.distill.teacher, Registry(places.registry)).folder


def _targets(
    config: TrainConfig,
    places: RunLocations,
    corpus: Corpus,
    labels: Sequence[str],
    device: str,
) -> TeacherTargets | None:
    if config.distill is None:
        return None
    teacher, states = teacher_folder(config, places), config.distill.hidden_weight > 0
    dtype = dtype_of(config.dtype, device)
    return teacher_targets(
        teacher, places.encoded, corpus.digest, corpus.read, labels, states=states, device=device, dtype=dtype
    )


def main(arguments: Sequence[str]) -> None:
    """Prepare a run on this machine as the command line asks; write the size of its data as one line of JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m train_jobs.train.prepare", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--data", required=True, help="dataset version to train on")
    parser.add_argument("--model", default="minilm", help="preset of the model (default: minilm)")
    options = parser.parse_args(arguments)
    with job_output():
        _, data = prepare(TrainConfig(model=options.model, data=options.data), RunLocations.of(load_settings()))
        plan = data.plan
        facts = {"texts": len(plan.texts), "tokens": len(plan.texts.ids), "held_out": len(data.held_out.numbers)}
        sys.stdout.write(json.dumps({**facts, "steps_an_epoch": plan.steps_by_epoch[0]}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
