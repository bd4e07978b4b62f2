"""From a trained classifier to a version folder: engines exported, compared, calibrated, judged, vouched for."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from tokenizers import Tokenizer

from sentiment.export import agreement, cool, export_engines, onnx_probabilities, require_agreement
from sentiment.labels import THREE_CLASSES
from sentiment.metrics import fit_temperature
from sentiment.models.start import Start
from sentiment.predictor import Predictor
from sentiment.text import CURRENT_NORMALIZER
from sentiment.version import CARD, ENGINE_FILES, TOKENIZER, EngineName, Manifest, SelfCheck, file_facts, write_manifest
from train_jobs.data import Example
from train_jobs.judge import Classify, TestSet, from_predictor, judge_all

_LOG = logging.getLogger(__name__)

#: Judged with the int8 engine only: in full precision they take too long on two cores.
LARGE_TEST_SETS: Final = frozenset({"imdb_test", "imdb_test_long"})

_NAME: Final = "sentiment"
_LEAST_SAME_LABEL: Final = 0.95
_WINDOW_OVERLAP_TOKENS: Final = 32
_MOST_WINDOWS: Final = 8
_DIGITS: Final = 6
_TINY: Final = 1e-12
_SELF_CHECK: Final = (
    "I love this, thank you so much!",
    "This is the worst phone I have ever had.",
    "The committee meets again on Tuesday at ten.",
    "Not bad at all 😍",
    "My parcel never arrived and nobody answers my mails.",
    "@user have you seen this? http",
    "Shares fell after the company warned that profit would halve.",
    "A quiet, beautifully acted film that stays with you.",
)


@dataclass(frozen=True)
class Judgement:
    """Figures by test set, of the int8 engine and in full precision (without `LARGE_TEST_SETS`)."""

    int8: Mapping[str, Mapping[str, float]]
    full: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Facts:
    """What a manifest says beside the files."""

    window_tokens: int
    temperature: Mapping[EngineName, float]
    dataset: Mapping[str, Any]
    metrics: Mapping[str, Any]
    created_at: datetime


def export_calibrated(start: Start, held_out: Sequence[Example], folder: Path, dataset: Mapping[str, Any]) -> Facts:
    """Export all engines of a trained model into `folder`, fit each one's temperature, write a first manifest.

    Raises:
        ModelRejected: int8 says too often something else than full precision does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    export_engines(start, folder)
    plain = Facts(start.config.positions, dict.fromkeys(ENGINE_FILES, 1.0), dataset, {}, datetime.now(UTC))
    write(folder, plain)
    texts, labels = [example.text for example in held_out], [example.label for example in held_out]
    found = {engine: classify_with(folder, engine)(texts) for engine in ENGINE_FILES}
    compared = agreement(found["onnx-int8"], found["onnx"])
    require_agreement(compared, _LEAST_SAME_LABEL)
    fitted = {engine: fit_temperature(np.log(found[engine] + _TINY), labels) for engine in found}
    _LOG.info("temperatures %s", fitted)
    facts = replace(plain, temperature=fitted, metrics={"int8_same_label_as_float32": compared.same_label})
    write(folder, facts)
    return facts


def judge_version(folder: Path, test_sets: Sequence[TestSet]) -> Judgement:
    """Judge a full version's int8 and float32 engines on the test sets."""
    small = [test_set for test_set in test_sets if test_set.name not in LARGE_TEST_SETS]
    return Judgement(
        int8=judge_all(test_sets, classify_with(folder, "onnx-int8")),
        full=judge_all(small, classify_with(folder, "onnx")),
    )


def classify_with(folder: Path, engine: EngineName) -> Classify:
    """Return a function that classifies with one engine of the version in `folder`."""
    return from_predictor(Predictor.load(folder, engine=engine))


def write(folder: Path, facts: Facts) -> str:
    """Write the manifest over all files of a version that lie in `folder`; return the version's digest."""
    files = file_facts(folder)
    engines = {engine: file for engine, file in ENGINE_FILES.items() if file in files}
    manifest = Manifest(
        name=_NAME,
        labels=THREE_CLASSES,
        engines=engines,
        files=files,
        normalizer=CURRENT_NORMALIZER,
        window_tokens=facts.window_tokens,
        window_overlap_tokens=_WINDOW_OVERLAP_TOKENS,
        max_windows=_MOST_WINDOWS,
        temperature={engine: facts.temperature[engine] for engine in engines},
        self_check=_self_check(folder, facts.temperature["onnx-int8"]),
        dataset=dict(facts.dataset),
        metrics=dict(facts.metrics),
        created_at=facts.created_at,
    )
    return write_manifest(folder, manifest)


def write_int8_only(full: Path, folder: Path, facts: Facts) -> str:
    """Copy what serving on CPUs needs from a full version to a version of its own; return that one's digest."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in sorted(set(file_facts(full)) - {ENGINE_FILES["torch"], ENGINE_FILES["onnx"]}):
        shutil.copyfile(full / name, folder / name)
    return write(folder, facts)


def write_card_file(folder: Path, card: str) -> None:
    """Write the model card; the manifest must be written after it."""
    (folder / CARD).write_text(card, encoding="utf-8")


def _self_check(folder: Path, temperature: float) -> tuple[SelfCheck, ...]:
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    plain = onnx_probabilities(folder / ENGINE_FILES["onnx-int8"], tokenizer, _SELF_CHECK)
    rows = cool(plain.astype(np.float64), temperature).round(_DIGITS).tolist()
    return tuple(SelfCheck(text=text, probabilities=tuple(row)) for text, row in zip(_SELF_CHECK, rows, strict=True))
