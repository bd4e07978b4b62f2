"""The texts of a stage of the default model's training: all tweets, windows of some reviews, and some phrases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from tokenizers import Tokenizer

from sentiment.training.batching.batches import EncodedText
from sentiment.training.batching.encoded import EncodedTexts
from train_jobs.shipped_model.readers import LabelledText, TrainingTexts

_BOTH_ENDS = 2


@dataclass(frozen=True)
class MixtureConfig:
    """How the rows of a stage are drawn; window sizes count tokens, [CLS] and [SEP] included."""

    reviews: int = 7000
    phrases: int = 18000
    window_tokens: int = 128
    long_window_tokens: int = 256
    long_windows: float = 0.15
    seed: int = 42


def draw(texts: TrainingTexts, tokenizer: Tokenizer, config: MixtureConfig) -> EncodedTexts:
    """Draw the rows of a stage, cut to windows; equal seeds draw equal rows."""
    tweets, reviews, phrases = (encode(part, tokenizer) for part in (texts.tweets, texts.reviews, texts.phrases))
    random = Random(config.seed)
    rows = [draw_window(row, config.long_window_tokens, random) for row in tweets]
    for row in random.sample(reviews, min(config.reviews, len(reviews))):
        tokens = config.long_window_tokens if random.random() < config.long_windows else config.window_tokens
        rows.append(draw_window(row, tokens, random))
    weights = [len(row.ids) for row in phrases]
    rows.extend(
        draw_window(row, config.long_window_tokens, random)
        for row in random.choices(phrases, weights, k=config.phrases)
    )
    return as_texts(rows)


def encode(examples: Sequence[LabelledText], tokenizer: Tokenizer) -> list[EncodedText]:
    """Tokenise whole texts, [CLS] and [SEP] included."""
    encodings = tokenizer.encode_batch([example.text for example in examples])
    return [
        EncodedText(encoding.ids, example.label, example.two_class)
        for encoding, example in zip(encodings, examples, strict=True)
    ]


def as_texts(rows: Sequence[EncodedText]) -> EncodedTexts:
    """Return the rows as one `EncodedTexts` in memory."""
    return EncodedTexts(
        ids=np.concatenate([np.asarray(row.ids, dtype=np.int32) for row in rows]),
        starts=np.cumsum([0, *(len(row.ids) for row in rows)], dtype=np.int64),
        labels=np.array([row.label for row in rows], dtype=np.int16),
        two_class=np.array([row.two_class for row in rows]),
    )


def draw_window(row: EncodedText, tokens: int, random: Random) -> EncodedText:
    """Return a window of at most `tokens` tokens: the head, the tail, or a random one, each with probability 1/3.

    Reviewers tend to say what they think at the start and at the end.
    """
    if len(row.ids) <= tokens:
        return row
    body = row.ids[1:-1]
    slack = len(body) - (tokens - _BOTH_ENDS)
    start = random.choice((0, slack, random.randint(0, slack)))
    return row._replace(ids=[row.ids[0], *body[start : start + tokens - _BOTH_ENDS], row.ids[-1]])
