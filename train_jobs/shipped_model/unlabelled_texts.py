"""Write unlabelled texts for distillation: tweets of Sentiment140, and sentences of the training reviews.

python -m train_jobs.shipped_model.unlabelled_texts --corpora CORPORA --out texts.jsonl

The seeds are fixed, so that the texts are always the same. None of the reviews is in a validation or test set.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

from sentiment.errors import InvalidInput
from train_jobs.runtime.output import job_output
from train_jobs.shipped_model.readers import read_sentiment140, read_training_texts

_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+")
_WORDS: Final = range(5, 31)  # about as many as tweets have
_TWEETS_LEFT_OUT: Final = 2000
_TWEETS_SEED: Final = 7
_SENTENCES_SEED: Final = 8


def unlabelled_texts(corpora: Path, sentences: int) -> list[str]:
    """Return 18,000 of Sentiment140's 20,000 tweets (the others are for validation) and a sample of review sentences.

    Raises:
        InvalidInput: a corpus is missing, or the number of sentences is below 0.
    """
    if sentences < 0:
        raise InvalidInput(f"--sentences is {sentences}; it must be 0 or more", "sentences")
    tweets, reviews = read_sentiment140(corpora), read_training_texts(corpora).reviews
    Random(_TWEETS_SEED).shuffle(tweets)
    all_sentences = [sentence for review in reviews for sentence in _SENTENCE_END.split(review.text)]
    fitting = [sentence for sentence in all_sentences if len(sentence.split()) in _WORDS]
    return tweets[_TWEETS_LEFT_OUT:] + Random(_SENTENCES_SEED).sample(fitting, min(sentences, len(fitting)))


def main(arguments: Sequence[str]) -> None:
    """Write the file that the command line names; write the number of its texts as a line of JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m train_jobs.shipped_model.unlabelled_texts", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--corpora", type=Path, required=True, help="folder that holds the corpora")
    parser.add_argument("--out", type=Path, required=True, help="JSONL file to write")
    parser.add_argument("--sentences", type=int, default=60_000, help="sentences of reviews (default: 60000)")
    options = parser.parse_args(arguments)
    with job_output():
        texts = unlabelled_texts(options.corpora, options.sentences)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
        sys.stdout.write(json.dumps({"texts": len(texts), "file": str(options.out)}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
