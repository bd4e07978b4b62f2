"""What a run holds out of its own data: whole groups of copies, so that none of them is trained on."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the train extra")

from sentiment.datasets import Example, open_datasets
from sentiment.models.zoo import save_model
from sentiment.settings import load_settings
from sentiment.text import near_duplicate_key
from sentiment.training.batching.encoded import group_of
from sentiment.training.batching.plan import split
from tests.tiny_training import TINY, encode, examples, tiny_start
from train_jobs.train.prepare import RunLocations, held_out_texts, prepare


def copies(text: str) -> list[str]:
    """Return three spellings of a text that are the same words."""
    return [text, f"RT @user: {text.upper()}!", f"{text.capitalize()} … http"]


def test_copies_and_retweets_make_a_group(tmp_path: Path) -> None:
    texts = [*copies("good day"), "good days"]
    groups = encode(tmp_path, [Example(text, "positive") for text in texts]).groups
    assert groups is not None
    assert len(set(groups[:3])) == 1
    assert groups[3] != groups[0]
    assert groups.tolist() == [group_of(text) for text in texts]


def test_no_group_is_held_out_in_part_and_none_of_it_is_trained_on() -> None:
    groups = np.repeat(np.arange(100), 4)
    labels = np.tile(np.array([0, 1, 2, -1], dtype=np.int16), 100)
    train, held_out = split(labels, 0.1, seed=3, groups=groups)
    assert len(held_out) == 30
    assert (labels[held_out] >= 0).all()
    assert Counter(groups[held_out].tolist()).keys() == set(range(100)) - set(groups[train].tolist())
    assert len(train) == 360, "unlabelled copies of what is held out are left out"
    assert split(labels, 0.1, seed=3, groups=groups)[1].tolist() == held_out.tolist()
    assert split(labels, 0.1, seed=4, groups=groups)[1].tolist() != held_out.tolist()


def test_data_without_copies_are_split_as_if_there_were_no_groups() -> None:
    labels = np.array([0, 1, 2, -1] * 25, dtype=np.int16)
    for one, other in zip(split(labels, 0.2, 1, 90), split(labels, 0.2, 1, 90, groups=np.arange(100) * 7), strict=True):
        assert one.tolist() == other.tolist()


@pytest.mark.parametrize("seed", range(5))
def test_a_text_that_makes_up_most_of_the_data_is_trained_on(seed: int) -> None:
    groups = np.concatenate([np.zeros(60, dtype=np.int64), np.arange(1, 41)])
    train, held_out = split(np.zeros(100, dtype=np.int16), 0.1, seed, groups=groups)
    assert (len(train), len(held_out)) == (90, 10)
    assert 0 not in groups[held_out]


def test_a_run_validates_on_no_text_whose_words_it_was_trained_on(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    rows = [Example(copy, row.label) for row in examples(40) for copy in copies(row.text)]
    open_datasets(settings).push("toys", rows, source="tests")
    save_model(tiny_start(), tmp_path / "backbone")
    config = replace(TINY, model="minilm", backbone=str(tmp_path / "backbone"))
    _, data = prepare(config, RunLocations.of(settings))
    trained, held_out = (
        {near_duplicate_key(rows[number].text) for number in numbers}
        for numbers in (data.plan.numbers, data.held_out.numbers)
    )
    assert len(held_out) >= 5
    assert not trained & held_out
    told = {near_duplicate_key(text) for text, _ in held_out_texts(config, RunLocations.of(settings))}
    assert told == held_out, "temperatures are fitted on the same texts"
