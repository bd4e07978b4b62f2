"""Texts without labels for distilling: of which kinds, how long, and the same ones each time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sentiment.errors import InvalidInput
from train_jobs.shipped_model import unlabelled_texts as job
from train_jobs.shipped_model.readers import LabelledText, TrainingTexts

SENTENCE = "one two three four {}."


@pytest.fixture
def corpora(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    reviews = [
        LabelledText(f"Too short! {SENTENCE.format(n)} {'long ' * 31}? {SENTENCE.format(-n)}", 0) for n in range(50)
    ]
    monkeypatch.setattr(job, "read_sentiment140", lambda _: [f"tweet {number}" for number in range(2010)])
    texts = TrainingTexts([], reviews, [], [], [LabelledText(SENTENCE.format("held out"), 0)], [])
    monkeypatch.setattr(job, "read_training_texts", lambda _: texts)
    return tmp_path


def test_they_are_tweets_and_sentences_of_tweets_lengths(corpora: Path) -> None:
    texts = job.unlabelled_texts(corpora, 1000)
    assert len({text for text in texts if text.startswith("tweet ")}) == 10
    assert sorted(texts[10:]) == sorted(SENTENCE.format(sign * n) for n in range(50) for sign in (1, -1))


def test_no_more_sentences_are_taken_than_asked_for_and_the_same_each_time(corpora: Path) -> None:
    texts = job.unlabelled_texts(corpora, 20)
    assert len(texts) == 30
    assert texts == job.unlabelled_texts(corpora, 20)


def test_the_command_writes_what_distilling_reads(corpora: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = corpora / "new" / "texts.jsonl"
    job.main(["--corpora", str(corpora), "--out", str(out), "--sentences", "5"])
    assert json.loads(capsys.readouterr().out) == {"texts": 15, "file": str(out)}
    assert [list(json.loads(line)) for line in out.read_text().splitlines()] == [["text"]] * 15


def test_a_missing_corpus_is_named_with_the_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        job.main(["--corpora", str(tmp_path), "--out", str(tmp_path / "texts.jsonl")])
    assert "sentiment140_sample_20k.csv.xz is missing: name the folder" in capsys.readouterr().err
    assert not (tmp_path / "texts.jsonl").exists()


def test_a_number_of_sentences_below_0_is_refused_by_name(corpora: Path) -> None:
    with pytest.raises(InvalidInput, match="--sentences is -1"):
        job.unlabelled_texts(corpora, -1)
