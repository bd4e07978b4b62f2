"""From a trained classifier to a version folder: its engines are exported, compared, calibrated and self-checked."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from sentiment.errors import InvalidInput
from sentiment.evaluation.metrics import fit_biases, fit_temperature
from sentiment.labels import LABEL_SETS
from sentiment.models.bundle import ModelBundle
from sentiment.models.zoo import load_model
from sentiment.predictor import Predictor
from sentiment.text import CURRENT_NORMALIZER
from sentiment.text.steps import open_steps
from sentiment.training.calibration import move_biases
from sentiment.training.export import agreement, cool, export_engines, onnx_probabilities, require_agreement
from sentiment.version import (
    CARD,
    ENGINE_FILES,
    MANIFEST,
    TOKENIZER,
    EngineName,
    Manifest,
    SelfCheck,
    Version,
    file_facts,
    read_version,
    write_manifest,
)
from train_jobs.runtime.drafts import draft_of
from train_jobs.shipped_model.corpus_benchmark import Classify, TestSet, evaluate_all, from_predictor

_LOG = logging.getLogger(__name__)

#: Evaluated with the int8 engine only: in full precision they take too long on two cores.
LARGE_TEST_SETS: Final = frozenset({"imdb_test", "imdb_test_long"})

_LEAST_SAME_LABEL: Final = 0.95
_WINDOW_OVERLAP_TOKENS: Final = 32
_MOST_WINDOWS: Final = 8
_MOST_HELD_OUT: Final = 2000
_CHUNK_TEXTS: Final = 1000
_DIGITS: Final = 6
_ONNX: Final[tuple[EngineName, EngineName]] = ("onnx-int8", "onnx")
_TINY: Final = 1e-12
_AGREEMENT: Final = "int8_same_label_as_float32"
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
class EngineFigures:
    """Figures by test set of the int8 engine and, without `LARGE_TEST_SETS`, of the full-precision one."""

    int8: Mapping[str, Mapping[str, float]]
    full: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class VersionFacts:
    """What a manifest says beside the list of files."""

    window_tokens: int
    temperature: Mapping[EngineName, float]
    dataset: Mapping[str, Any]
    """Lineage: what the model was trained on."""
    metrics: Mapping[str, Any]
    created_at: datetime
    name: str = "sentiment"
    """Registered model; each label set has its own."""
    steps: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


def require_version_place(folder: Path) -> None:
    """Check that a new version may replace `folder`: it is missing, empty, or holds a version.

    Raises:
        InvalidInput: it is a file, or has files but no manifest in it.
    """
    has_content = folder.is_file() or (folder.is_dir() and any(folder.iterdir()))
    if has_content and not (folder / MANIFEST).is_file():
        raise InvalidInput(
            f"{folder} would be replaced, but does not hold a model version: name a new folder with --out.", "out"
        )


def version_from_model(
    model: Path,
    held_out: Sequence[tuple[str, str]],
    out: Path,
    name: str,
    *,
    dataset: Mapping[str, Any],
    metrics: Mapping[str, Any],
    window_tokens: int,
    calibration: str = "temperature",
    languages: tuple[str, ...] = (),
) -> Version:
    """Make a full version in `out` of a model that the zoo saved; `held_out` are texts with the names of their labels.

    At most 2,000 of them, evenly spread, are used to fit the temperatures, and before these with `calibration="biases"`
    the head's biases. The content of `out` is replaced when the version is complete. If the int8 engine disagrees too
    often with full precision it is left out, and the card says so (`precision_warning`).

    Raises:
        ModelRejected: the folder holds no model, or one that cannot be exported.
    """
    labels = LABEL_SETS[name]
    spread = held_out[:: -(-len(held_out) // _MOST_HELD_OUT)]
    labelled = [(text, labels.index(label)) for text, label in spread]
    bundle = load_model(model)
    with draft_of(out) as folder:
        facts = export_calibrated(bundle, labelled, folder, dataset, name=name, window_tokens=window_tokens)
        if calibration == "biases":
            probabilities = _probabilities(folder, "onnx", [text for text, _ in labelled])
            move_biases(bundle, fit_biases(np.log(probabilities + _TINY), [label for _, label in labelled]))
            facts = export_calibrated(bundle, labelled, folder, dataset, name=name, window_tokens=window_tokens)
        if warning := precision_warning(facts.temperature, facts.metrics):
            write_card_file(folder, f"# {name}: in full precision\n\n{warning}\n")
        write(folder, replace(facts, metrics={**metrics, **facts.metrics}, languages=languages))
    return read_version(out)


def export_calibrated(
    bundle: ModelBundle,
    held_out: Sequence[tuple[str, int]],
    folder: Path,
    dataset: Mapping[str, Any],
    *,
    name: str = "sentiment",
    window_tokens: int | None = None,
    needs_int8: bool = False,
) -> VersionFacts:
    """Export all engines of a trained model into `folder`, fit their temperatures, and write a first manifest.

    `held_out` are texts with the ids of their labels. Without `window_tokens`, windows are as long as the model reads.
    If the int8 engine disagrees too often with full precision it is left out.

    Raises:
        ModelRejected: the model cannot be exported; or the version `needs_int8`, and int8 disagrees too often.
    """
    folder.mkdir(parents=True, exist_ok=True)
    export_engines(bundle, folder)
    window = window_tokens or bundle.config.positions
    plain = VersionFacts(window, dict.fromkeys(ENGINE_FILES, 1.0), dataset, {}, datetime.now(UTC), name, bundle.steps)
    write(folder, plain)
    texts, labels = [text for text, _ in held_out], [label for _, label in held_out]
    probabilities = {engine: _probabilities(folder, engine, texts) for engine in ENGINE_FILES}
    compared = agreement(probabilities["onnx-int8"], probabilities["onnx"])
    _LOG.info("engines compared: %s", compared)
    if needs_int8:
        require_agreement(compared, _LEAST_SAME_LABEL)
    metrics = {_AGREEMENT: compared.same_label}
    if compared.same_label < _LEAST_SAME_LABEL:
        del probabilities["onnx-int8"]
        (folder / ENGINE_FILES["onnx-int8"]).unlink()
        _LOG.warning("%s", precision_warning(probabilities, metrics))
    fitted = {engine: fit_temperature(np.log(probabilities[engine] + _TINY), labels) for engine in probabilities}
    _LOG.info("temperatures %s", fitted)
    facts = replace(plain, temperature=fitted, metrics=metrics)
    write(folder, facts)
    return facts


def precision_warning(engines: Collection[str], metrics: Mapping[str, Any]) -> str | None:
    """Return a warning about a version with these engines if its int8 engine was left out, else None."""
    if "onnx-int8" in engines or (share := metrics.get(_AGREEMENT)) is None:
        return None
    return (
        f"int8 agrees with full precision on {share:.1%} of the validation texts; at least {_LEAST_SAME_LABEL:.0%} "
        "is required. This version therefore has no int8 engine and is served in full precision, which takes more time "
        "and memory. Training longer may help."
    )


def evaluate_engines(folder: Path, test_sets: Sequence[TestSet]) -> EngineFigures:
    """Evaluate a full version's int8 and float32 engines on the test sets."""
    small = [test_set for test_set in test_sets if test_set.name not in LARGE_TEST_SETS]
    return EngineFigures(
        int8=evaluate_all(test_sets, classify_with(folder, "onnx-int8")),
        full=evaluate_all(small, classify_with(folder, "onnx")),
    )


def classify_with(folder: Path, engine: EngineName) -> Classify:
    """Return a function that classifies with one engine of the version in `folder`."""
    return from_predictor(Predictor.load(folder, engine=engine))


def write(folder: Path, facts: VersionFacts) -> str:
    """Write the manifest of all files in `folder`; return the version's digest."""
    files = file_facts(folder)
    engines = {engine: file for engine, file in ENGINE_FILES.items() if file in files}
    manifest = Manifest(
        name=facts.name,
        labels=LABEL_SETS[facts.name],
        engines=engines,
        files=files,
        normalizer=CURRENT_NORMALIZER,
        steps=facts.steps,
        languages=facts.languages,
        window_tokens=facts.window_tokens,
        window_overlap_tokens=min(_WINDOW_OVERLAP_TOKENS, facts.window_tokens // 2),
        max_windows=_MOST_WINDOWS,
        temperature={engine: facts.temperature[engine] for engine in engines},
        self_check=_self_check(folder, facts),
        dataset=dict(facts.dataset),
        metrics=dict(facts.metrics),
        created_at=facts.created_at,
    )
    return write_manifest(folder, manifest)


def write_int8_only(full: Path, folder: Path, facts: VersionFacts) -> str:
    """Copy what serving on CPUs needs from a full version into a version of its own; return the copy's digest."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in sorted(set(file_facts(full)) - {ENGINE_FILES["torch"], ENGINE_FILES["onnx"]}):
        shutil.copyfile(full / name, folder / name)
    return write(folder, facts)


def write_card_file(folder: Path, card: str) -> None:
    """Write the model card; write the manifest after it, which lists the card's digest."""
    (folder / CARD).write_text(card, encoding="utf-8")


def _probabilities(folder: Path, engine: EngineName, texts: Sequence[str]) -> NDArray[np.float64]:
    predictor = Predictor.load(folder, engine=engine)
    chunks = (texts[start : start + _CHUNK_TEXTS] for start in range(0, len(texts), _CHUNK_TEXTS))
    return np.array(
        [row for chunk in chunks for row in predictor.predict(chunk, gated=False).probabilities], dtype=np.float64
    )


def _self_check(folder: Path, facts: VersionFacts) -> tuple[SelfCheck, ...]:
    texts = _fitting(folder, facts)
    int8, full = (_probabilities_if_exported(folder, engine, facts, texts) for engine in _ONNX)
    return tuple(
        SelfCheck(text=text, probabilities=quantised or exact or (), full=exact)
        for text, quantised, exact in zip(texts, int8, full, strict=True)
    )


def _fitting(folder: Path, facts: VersionFacts) -> list[str]:
    """Return the self-check's texts, each shortened to one window: first by words, then by letters."""
    tokenizer, steps = Tokenizer.from_file(str(folder / TOKENIZER)), open_steps(facts.steps)

    def cut(text: str) -> str:
        while text and len(tokenizer.encode(steps(text)).ids) > facts.window_tokens:
            text = text.rpartition(" ")[0] or text[:-1]
        return text

    return list(dict.fromkeys(map(cut, _SELF_CHECK)))


def _probabilities_if_exported(
    folder: Path, engine: EngineName, facts: VersionFacts, texts: Sequence[str]
) -> Sequence[tuple[float, ...] | None]:
    is_held = (folder / ENGINE_FILES[engine]).exists()
    return _probabilities_of_self_check(folder, engine, facts, texts) if is_held else [None] * len(texts)


def _probabilities_of_self_check(
    folder: Path, engine: EngineName, facts: VersionFacts, texts: Sequence[str]
) -> list[tuple[float, ...]]:
    """Return an engine's probabilities of the self-check's texts, each classified alone."""
    tokenizer, steps = Tokenizer.from_file(str(folder / TOKENIZER)), open_steps(facts.steps)
    plain = onnx_probabilities(folder / ENGINE_FILES[engine], tokenizer, [steps(text) for text in texts])
    rows = cool(plain.astype(np.float64), facts.temperature[engine]).round(_DIGITS).tolist()
    return [tuple(row) for row in rows]
