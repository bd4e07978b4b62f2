"""Readers of the raw corpora: rows are normalised as in serving, splits have no leaks and no duplicates.

`corpora` is the folder with `semeval2017_task4a/`, `tweeteval_sentiment/`, `imdb_aclImdb/`, `sst2_glue/`,
`sentiment140/` and `gdelt_sample/`; docs/results.md lists their files and sources.
"""

from __future__ import annotations

import csv
import lzma
import re
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from sentiment.errors import InvalidInput
from sentiment.labels import NEGATIVE, NEUTRAL, POSITIVE, THREE_CLASSES
from sentiment.tables import is_hidden
from sentiment.text import CURRENT_NORMALIZER, NORMALIZERS, near_duplicate_key

_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_WORD = re.compile(r"(?<=[-_/])[a-zA-Z]{2,}(?=[-_])")
_NORMALIZE: Final = NORMALIZERS[CURRENT_NORMALIZER]
_IDS: Final = {label: index for index, label in enumerate(THREE_CLASSES)}
_TWEETEVAL_LABELS: Final = {"0": NEGATIVE, "1": NEUTRAL, "2": POSITIVE}
_SST2_LABELS: Final = {"0": NEGATIVE, "1": POSITIVE}
_MANUAL_LABELS: Final = {"0": NEGATIVE, "2": NEUTRAL, "4": POSITIVE}
_IMDB_LABELS: Final = {"neg": NEGATIVE, "pos": POSITIVE}
_HELD_OUT_REVIEWS: Final = 1000
_SPLIT_SEED: Final = 42


class LabelledText(NamedTuple):
    """A normalised text, the id of its label in `THREE_CLASSES`, and whether its corpus has no neutral texts."""

    text: str
    label: int
    two_class: bool = False


@dataclass(frozen=True)
class TrainingTexts:
    """The texts that a default model is trained and validated on; none of them is in a test set."""

    tweets: list[LabelledText]
    reviews: list[LabelledText]
    phrases: list[LabelledText]
    tweets_held_out: list[LabelledText]
    reviews_held_out: list[LabelledText]
    phrases_held_out: list[LabelledText]


def read_training_texts(corpora: Path) -> TrainingTexts:
    """Read all training corpora without duplicates and without texts of a held-out or test set.

    Raises:
        InvalidInput: a corpus is missing.
    """
    tweets_held_out = read_tweeteval(corpora, "val")
    reviews = _unique(read_imdb(corpora, "train"), _keys(read_imdb(corpora, "test")))
    Random(_SPLIT_SEED).shuffle(reviews)
    phrases_held_out = read_sst2(corpora, "test")
    leaks = _keys(phrases_held_out) | _keys(read_sst2(corpora, "dev"))
    return TrainingTexts(
        tweets=_unique(read_semeval(corpora), _keys(tweets_held_out) | _keys(read_tweeteval(corpora, "test"))),
        reviews=reviews[_HELD_OUT_REVIEWS:],
        phrases=_unique(read_sst2(corpora, "train"), leaks),
        tweets_held_out=tweets_held_out,
        reviews_held_out=reviews[:_HELD_OUT_REVIEWS],
        phrases_held_out=phrases_held_out,
    )


def read_semeval(corpora: Path) -> list[LabelledText]:
    """Read the 50,334 tweets of SemEval-2017 task 4A (training years 2013 to 2016)."""
    downloaded = (corpora / "semeval2017_task4a" / "downloaded").glob("*.tsv.xz")
    files = sorted(file for file in downloaded if not is_hidden(file.name))
    if not files:
        raise InvalidInput(
            f"There is no *.tsv.xz in {corpora}/semeval2017_task4a/downloaded: name the folder of the corpora with "
            "--corpora.",
            "corpora",
        )
    rows = (line.split("\t") for file in files for line in _lines(file))
    return [LabelledText(_NORMALIZE(decode_semeval(row[2])), _IDS[row[1]]) for row in rows]


def read_tweeteval(corpora: Path, split: str) -> list[LabelledText]:
    """Read TweetEval's `val` (2,000 tweets, escapes decoded) or `test` (12,284 tweets, unchanged)."""
    folder = corpora / "tweeteval_sentiment"
    texts, labels = _lines(folder / f"{split}_text.txt.xz"), _lines(folder / f"{split}_labels.txt")
    plain = [decode_semeval(text) for text in texts] if split == "val" else texts
    return _examples(plain, [_TWEETEVAL_LABELS[label] for label in labels])


def read_imdb(corpora: Path, half: str) -> list[LabelledText]:
    """Read one half (`train` or `test`, 25,000 reviews) of the Large Movie Review Dataset."""
    archive = corpora / "imdb_aclImdb" / f"aclImdb_{half}.tar.xz"
    with tarfile.open(_existing(archive), "r:xz") as tar:
        examples = list(_tar_texts(tar, re.compile(rf"(?:.*/)?{half}/(neg|pos)/[^/]+\.txt")))
    labels, texts = zip(*examples, strict=True)
    return _examples(texts, labels, two_class=True)


def read_sst2(corpora: Path, split: str) -> list[LabelledText]:
    """Read `train` (67,349 phrases), `dev` (872 sentences) or `test` (1,821 sentences) of SST-2."""
    rows = [line.split("\t") for line in _lines(corpora / "sst2_glue" / f"{split}.tsv.xz")[1:]]
    return _examples([row[1] for row in rows], [_SST2_LABELS[row[0]] for row in rows], two_class=True)


def read_sentiment140(corpora: Path) -> list[str]:
    """Read a sample of 20,000 tweets of Sentiment140 without their labels, which come from smileys."""
    path = corpora / "sentiment140" / "sentiment140_sample_20k.csv.xz"
    with lzma.open(_existing(path), "rt", encoding="utf-8", newline="") as file:
        return [_NORMALIZE(row["text"]) for row in csv.DictReader(file)]


def read_sentiment140_manual(corpora: Path) -> list[LabelledText]:
    """Read the 498 hand-labelled tweets of Sentiment140 (three classes)."""
    path = corpora / "sentiment140" / "testdata_manual_498.csv.xz"
    with lzma.open(_existing(path), "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return _examples([row["text"] for row in rows], [_MANUAL_LABELS[row["polarity"]] for row in rows])


def read_news_words(corpora: Path) -> list[str]:
    """Read the words in 50,473 URLs of news articles of one day (GDELT), a sample of the words that newspapers use."""
    words: list[str] = []
    with tarfile.open(_existing(corpora / "gdelt_sample" / "gkg_index_20180918.tar.xz"), "r:xz") as tar:
        for member in tar:
            if member.isfile() and (file := tar.extractfile(member)):
                lines = file.read().decode("utf-8", "replace").split("\n")[1:]
                words.extend(" ".join(_WORD.findall(line.rpartition("\t")[2].partition("//")[2])) for line in lines)
    return words


def decode_semeval(text: str) -> str:
    """Decode SemEval texts, whose export left literal \\uXXXX escapes and quotes doubled as in CSV."""
    text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    return text.replace('\\""', '"').replace('""', '"')


def _tar_texts(tar: tarfile.TarFile, name: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    for member in tar:
        if member.isfile() and (match := name.fullmatch(member.name)) and (file := tar.extractfile(member)):
            yield _IMDB_LABELS[match[1]], file.read().decode("utf-8")


def _examples(texts: Sequence[str], labels: Sequence[str], *, two_class: bool = False) -> list[LabelledText]:
    pairs = zip(texts, labels, strict=True)
    return [LabelledText(_NORMALIZE(text), _IDS[label], two_class) for text, label in pairs]


def _unique(examples: Iterable[LabelledText], unwanted: set[str]) -> list[LabelledText]:
    keys = set(unwanted)
    unique = []
    for example in examples:
        key = near_duplicate_key(example.text)
        if key not in keys:
            keys.add(key)
            unique.append(example)
    return unique


def _keys(examples: Iterable[LabelledText]) -> set[str]:
    return {near_duplicate_key(example.text) for example in examples}


def _lines(path: Path) -> list[str]:
    """Return the lines, split at line feeds only: tweets contain other characters at which str.splitlines splits."""
    opened = lzma.open if path.suffix == ".xz" else open
    with opened(_existing(path), "rt", encoding="utf-8", newline="\n") as file:
        return [line for line in file.read().split("\n") if line]


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise InvalidInput(f"{path} is missing: name the folder of the corpora with --corpora.", field="corpora")
    return path
