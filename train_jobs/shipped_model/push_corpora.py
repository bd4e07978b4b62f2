"""Push the raw corpora as dataset versions: tweets, reviews and phrases, each for training, validation and test.

python -m train_jobs.shipped_model.push_corpora --corpora CORPORA
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from sentiment.datasets import DatasetStore, DatasetVersion, Example, open_datasets
from sentiment.labels import THREE_CLASSES, TWO_CLASSES
from sentiment.settings import load_settings
from train_jobs.runtime.output import job_output
from train_jobs.shipped_model.readers import LabelledText, read_imdb, read_sst2, read_training_texts, read_tweeteval


def push_corpora(store: DatasetStore, corpora: Path) -> list[DatasetVersion]:
    """Push all corpora and return the versions; data that the store already has are not stored again.

    Training sets have no duplicates and no texts of the validation and test sets. For reviews, 1,000 training reviews
    are held out for validation. For phrases, SST-2's test set is for validation and its dev set for the test, as in
    published figures.

    Raises:
        InvalidInput: a corpus is missing.
    """
    texts = read_training_texts(corpora)
    pushes: list[tuple[str, Sequence[LabelledText], str]] = [
        ("tweets", texts.tweets, "SemEval-2017 task 4A, 2013 to 2016"),
        ("tweets-validation", texts.tweets_held_out, "TweetEval sentiment, val"),
        ("tweets-test", read_tweeteval(corpora, "test"), "TweetEval sentiment, test"),
        ("reviews", texts.reviews, "Large Movie Review Dataset, train"),
        ("reviews-validation", texts.reviews_held_out, "Large Movie Review Dataset, train"),
        ("reviews-test", read_imdb(corpora, "test"), "Large Movie Review Dataset, test"),
        ("phrases", texts.phrases, "SST-2, train"),
        ("phrases-validation", texts.phrases_held_out, "SST-2, test"),
        ("phrases-test", read_sst2(corpora, "dev"), "SST-2, dev"),
    ]
    return [
        store.push(name, _stored(rows), source=source, labels=TWO_CLASSES if rows[0].two_class else THREE_CLASSES)
        for name, rows, source in pushes
    ]


def _stored(rows: Sequence[LabelledText]) -> Iterator[Example]:
    for row in rows:
        if row.text:
            yield Example(row.text, THREE_CLASSES[row.label])


def main(arguments: Sequence[str]) -> None:
    """Push the corpora as the command line asks; write a line of JSON for each version."""
    parser = argparse.ArgumentParser(
        prog="python -m train_jobs.shipped_model.push_corpora", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--corpora", type=Path, required=True, help="folder that holds the corpora")
    options = parser.parse_args(arguments)
    with job_output():
        for version in push_corpora(open_datasets(load_settings()), options.corpora):
            facts = {"version": version.ref, "rows": version.rows, "labels": version.balance, "source": version.source}
            sys.stdout.write(json.dumps(facts) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
