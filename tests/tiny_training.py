"""A classifier of a few thousand numbers, and texts that it can learn to tell apart within seconds."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Final

import torch

from sentiment.datasets import Example
from sentiment.labels import THREE_CLASSES
from sentiment.models.architectures.encoder import EncoderClassifier, EncoderConfig
from sentiment.models.bundle import ModelBundle
from sentiment.models.vocabulary import build_tokenizer
from sentiment.training.batching.encoded import EncodedTexts, encoded_texts
from sentiment.training.batching.plan import BatchPlan, split
from sentiment.training.config import TrainConfig
from sentiment.training.objectives.objective import TeacherTargets, TrainingData
from sentiment.training.validation import ValidationSet
from tests.tiny_model import NEGATIVE_WORDS, PLAIN_WORDS, POSITIVE_WORDS

_SPECIAL: Final = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_PIECES: Final = (*_SPECIAL, *PLAIN_WORDS, *POSITIVE_WORDS, *NEGATIVE_WORDS)

#: Three epochs of four steps or so, in full precision.
TINY: Final = TrainConfig(
    model="tiny",
    data="toys@1",
    learning_rate=5e-3,
    batch_tokens=200,
    batch_rows=24,
    window_tokens=16,
    dtype="float32",
    validation_share=0.2,
)


def tiny_start(layers: int = 1, hidden: int = 16, seed: int = 1) -> ModelBundle:
    """Return an untrained encoder of one layer that reads the words of `tests.tiny_model`."""
    torch.manual_seed(seed)
    shape = {"hidden": hidden, "layers": layers, "heads": 2, "feed_forward": 32, "positions": 32}
    config = EncoderConfig(vocabulary=len(_PIECES), **shape)
    return ModelBundle(EncoderClassifier(config), config, build_tokenizer(_PIECES), "encoder")


def examples(count: int = 90, seed: int = 3) -> list[Example]:
    """Return texts of 3 to 7 words, a third of each label: kind words are positive, harsh ones negative."""
    random = Random(seed)
    words = {"negative": NEGATIVE_WORDS, "neutral": PLAIN_WORDS, "positive": POSITIVE_WORDS}
    found = []
    for number in range(count):
        label = THREE_CLASSES[number % 3]
        text = [random.choice(PLAIN_WORDS) for _ in range(random.randint(0, 4))]
        text += random.choices(words[label], k=3)
        random.shuffle(text)
        found.append(Example(" ".join(text), label))
    return found


def encode(folder: Path | None = None, texts: list[Example] | None = None) -> EncodedTexts:
    """Tokenise texts, in memory or below a folder."""
    texts = examples() if texts is None else texts
    if folder is not None:
        return encoded_texts(folder, "digest", lambda: texts, THREE_CLASSES, tiny_start().tokenizer)
    import numpy as np

    ids = [tiny_start().tokenizer.encode(example.text).ids for example in texts]
    labels = [-1 if example.label is None else THREE_CLASSES.index(example.label) for example in texts]
    return EncodedTexts(
        np.concatenate(ids).astype(np.int32),
        np.cumsum([0, *map(len, ids)]),
        np.array(labels, dtype=np.int16),
    )


def material(config: TrainConfig, lesson: TeacherTargets | None = None, workers: int = 1) -> TrainingData:
    """Return what a run of `config` learns from."""
    texts = encode()
    train, held_out = split(texts.labels, config.validation_share, config.seed)
    return TrainingData(
        BatchPlan(texts, train, config, workers), ValidationSet(texts, held_out, config.window_tokens), lesson
    )
