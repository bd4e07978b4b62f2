"""What one epoch of the default model's training is made of: all tweets, windows of some reviews, some phrases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from tokenizers import Tokenizer

from sentiment.training.batches import Batch, Row, collate, cut_batches
from train_jobs.data import Example, TrainingTexts

_BOTH_ENDS = 2


@dataclass(frozen=True)
class MixtureConfig:
    """Rows of an epoch and the size of its batches; windows are counted in tokens, [CLS] and [SEP] included."""

    epochs: int = 1
    reviews: int = 7000
    phrases: int = 18000
    window_tokens: int = 128
    long_window_tokens: int = 256
    long_windows: float = 0.15
    batch_tokens: int = 1536
    batch_rows: int = 48
    seed: int = 42


@dataclass(frozen=True)
class Epoch:
    """Rows and how they are cut into batches (lists of row numbers)."""

    rows: list[Row]
    cuts: list[list[int]]


def make_epochs(texts: TrainingTexts, tokenizer: Tokenizer, config: MixtureConfig) -> list[Epoch]:
    """Draw all epochs of a run; the same seed draws the same."""
    tweets, reviews, phrases = (encode(part, tokenizer) for part in (texts.tweets, texts.reviews, texts.phrases))
    return [
        _epoch(tweets, reviews, phrases, config, Random(f"{config.seed}-{number}")) for number in range(config.epochs)
    ]


def iterate(epochs: Sequence[Epoch]) -> Iterator[Batch]:
    """Yield the batches of all epochs in their order."""
    for epoch in epochs:
        for cut in epoch.cuts:
            yield collate([epoch.rows[number] for number in cut])


def encode(examples: Sequence[Example], tokenizer: Tokenizer) -> list[Row]:
    """Tokenise whole texts, [CLS] and [SEP] included."""
    encodings = tokenizer.encode_batch([example.text for example in examples])
    return [
        Row(encoding.ids, example.label, example.two_class)
        for encoding, example in zip(encodings, examples, strict=True)
    ]


def draw_window(row: Row, tokens: int, random: Random) -> Row:
    """Return a row of at most `tokens` tokens: a third heads, a third tails, a third from anywhere in the body.

    Reviewers say what they think at the start and at the end.
    """
    if len(row.ids) <= tokens:
        return row
    body = row.ids[1:-1]
    slack = len(body) - (tokens - _BOTH_ENDS)
    start = random.choice((0, slack, random.randint(0, slack)))
    return row._replace(ids=[row.ids[0], *body[start : start + tokens - _BOTH_ENDS], row.ids[-1]])


def _epoch(
    tweets: Sequence[Row], reviews: Sequence[Row], phrases: Sequence[Row], config: MixtureConfig, random: Random
) -> Epoch:
    rows = [draw_window(row, config.long_window_tokens, random) for row in tweets]
    for row in random.sample(reviews, min(config.reviews, len(reviews))):
        tokens = config.long_window_tokens if random.random() < config.long_windows else config.window_tokens
        rows.append(draw_window(row, tokens, random))
    weights = [len(row.ids) for row in phrases]
    rows.extend(
        draw_window(row, config.long_window_tokens, random)
        for row in random.choices(phrases, weights, k=config.phrases)
    )
    lengths = [len(row.ids) for row in rows]
    return Epoch(rows, cut_batches(lengths, config.batch_tokens, config.batch_rows, random))
