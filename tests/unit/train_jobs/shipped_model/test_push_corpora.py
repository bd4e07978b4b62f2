"""The corpora as dataset versions: which there are, and of which labels."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the train extra")

from sentiment.datasets import open_datasets
from train_jobs.shipped_model import push_corpora as job
from train_jobs.shipped_model.readers import LabelledText, TrainingTexts


def rows(kind: str, *, two_class: bool = False) -> list[LabelledText]:
    labels = (0, 2) if two_class else (0, 1, 2)
    return [LabelledText(f"{kind} {label}", label, two_class) for label in labels] + [LabelledText("", 0, two_class)]


@pytest.fixture
def corpora(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = TrainingTexts(
        tweets=rows("tweet"),
        reviews=rows("review", two_class=True),
        phrases=rows("phrase", two_class=True),
        tweets_held_out=rows("tweet held out"),
        reviews_held_out=rows("review held out", two_class=True),
        phrases_held_out=rows("phrase held out", two_class=True),
    )
    monkeypatch.setattr(job, "read_training_texts", lambda _: texts)
    monkeypatch.setattr(job, "read_tweeteval", lambda _, split: rows(f"tweet of {split}"))
    monkeypatch.setattr(job, "read_imdb", lambda _, half: rows(f"review of {half}", two_class=True))
    monkeypatch.setattr(job, "read_sst2", lambda _, split: rows(f"phrase of {split}", two_class=True))


@pytest.mark.usefixtures("corpora")
def test_each_corpus_becomes_versions_to_train_choose_and_test_on(tmp_path: Path) -> None:
    store = open_datasets(tmp_path)
    pushed = {version.name: version for version in job.push_corpora(store, tmp_path)}
    assert list(pushed) == [f"{kind}{part}" for kind in ("tweets", "reviews", "phrases") for part in _PARTS]
    assert pushed["tweets"].labels == ("negative", "neutral", "positive")
    assert pushed["reviews-test"].labels == ("negative", "positive")
    texts = [example.text for example in store.read(pushed["phrases-test"])]
    assert texts == ["phrase of dev 0", "phrase of dev 2"]  # empty texts are left out


@pytest.mark.usefixtures("corpora")
def test_pushed_again_nothing_is_added(tmp_path: Path) -> None:
    store = open_datasets(tmp_path)
    assert job.push_corpora(store, tmp_path) == job.push_corpora(store, tmp_path)


_PARTS = ("", "-validation", "-test")
