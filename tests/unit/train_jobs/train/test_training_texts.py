from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the train extra")
pytest.importorskip("ray", reason="training needs the train extra")

from sentiment.datasets import DatasetStore, DatasetVersion, Example, open_datasets
from sentiment.errors import InvalidInput
from sentiment.labels import THREE_CLASSES
from sentiment.models.vocabulary import SPECIAL_PIECES
from sentiment.models.zoo import save_model
from sentiment.settings import Settings
from sentiment.training.config import DistillConfig, TrainConfig
from tests.tiny_training import TINY, tiny_start
from train_jobs.train.prepare import RunLocations, prepare
from train_jobs.train.training_texts import Corpus, corpora_of, mixed_texts, training_texts

TEXTS = [Example("one two three", "positive"), Example("four five", "negative"), Example("six", "neutral")]


@pytest.fixture
def store(tmp_path: Path) -> DatasetStore:
    return open_datasets(Settings(home=tmp_path))


@pytest.fixture
def version(store: DatasetStore) -> DatasetVersion:
    return store.push("toys", TEXTS, source="tests")


def distilling(**lesson: object) -> TrainConfig:
    return replace(TINY, validation="toys@1", distill=DistillConfig("teacher", **lesson))


def learnt(config: TrainConfig, version: DatasetVersion, store: DatasetStore) -> Corpus:
    return training_texts(config, corpora_of(config, version, store, None))


def test_a_mixture_is_the_first_half_of_one_text_and_the_second_half_of_another() -> None:
    begins, ends = ("one two", "four", "six"), ("two three", "five", "six")
    mixed = [example.text for example in mixed_texts(lambda: TEXTS, len(TEXTS), 60, seed=1)]
    assert set(mixed) == {f"{begin} {end}" for begin in begins for end in ends}


def test_mixtures_have_no_labels_and_are_the_same_by_the_same_seed() -> None:
    first, again, other = (list(mixed_texts(lambda: TEXTS, 3, 20, seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert {example.label for example in first} == {None}


def test_a_run_learns_from_the_dataset_further_texts_and_mixtures_of_both(store, version, tmp_path) -> None:
    more = tmp_path / "more.jsonl"
    more.write_text(json.dumps({"text": "seven eight"}))
    found = learnt(distilling(unlabelled=str(more), mixed=40), version, store)
    texts = list(found.read())
    assert texts[:4] == [*TEXTS, Example("seven eight", None)]
    assert len(texts) == found.rows == 44
    assert any(example.text.startswith("seven ") for example in texts[4:])
    assert list(found.read()) == texts


def test_the_digest_tells_apart_what_is_learned_from(store, version, tmp_path) -> None:
    more = tmp_path / "more.jsonl"
    more.write_text(json.dumps({"text": "seven eight"}))
    lessons = ({}, {"mixed": 40}, {"mixed": 41}, {"unlabelled": str(more)}, {"unlabelled": str(more), "mixed": 40})
    configs = [TINY, *(distilling(**lesson) for lesson in lessons), replace(distilling(mixed=40), seed=7)]
    digests = [learnt(config, version, store).digest for config in configs]
    assert digests[0] == digests[1] == version.digest
    assert len(set(digests[1:])) == len(digests) - 1


def test_a_file_of_further_texts_that_is_not_there_is_refused_by_name(store, version, tmp_path) -> None:
    with pytest.raises(InvalidInput, match=r"gone\.jsonl"):
        learnt(distilling(unlabelled=str(tmp_path / "gone.jsonl")), version, store)


def test_a_cut_vocabulary_keeps_what_the_dataset_and_the_further_texts_use_most(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    rows = [Example("wonderful " * (2 + place), label) for place, label in enumerate(THREE_CLASSES)]
    open_datasets(settings).push("toys", rows, source="tests")
    (tmp_path / "more.jsonl").write_text(json.dumps({"text": "horrible horrible"}))
    folder = str(tmp_path / "backbone")
    save_model(tiny_start(), Path(folder))
    lesson = DistillConfig(folder, unlabelled=str(tmp_path / "more.jsonl"))
    whole = replace(TINY, model="minilm", backbone=folder, validation="toys@1", distill=lesson)
    kept = {}
    for config in (whole, replace(whole, overrides={"vocabulary": 173})):
        start, _ = prepare(config, RunLocations.of(settings))
        kept[start.config.vocabulary] = {piece for piece in start.tokenizer.get_vocab() if len(piece) > 1}
    assert kept[173] == {"the", "wonderful", "horrible", *SPECIAL_PIECES} < kept[203]
    start, _ = prepare(replace(whole, overrides={"vocabulary": 173}, steps=("stem",)), RunLocations.of(settings))
    assert "wonderful" not in start.tokenizer.get_vocab(), "its stem is counted"
