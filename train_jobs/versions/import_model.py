"""Make a version of a classifier that others trained, from the hub or a transformers folder, and register it.

    python -m train_jobs.versions.import_model hf:cardiffnlp/twitter-roberta-base-sentiment --data tweets@3 --out it
    python -m train_jobs.versions.import_model ./my-model --labels negative,neutral,positive --out build/it
    python -m train_jobs.versions.import_model ./stars --labels "1 star=negative,2 stars=negative,3 stars=neutral,…"

It is read as data (safetensors and JSON; no pickle, no code). Its labels are put in our order by their names or as
--labels says; the probabilities of several that mean one label are added. All engines are exported, and with --data
the probabilities are calibrated.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from sentiment.datasets import DatasetVersion, open_datasets
from sentiment.datasets.source.label_spec import LabelSpec, parse_labels
from sentiment.errors import InvalidInput
from sentiment.evaluation.metrics import accuracy, expected_calibration_error, macro_f1, macro_recall
from sentiment.labels import LABEL_SETS
from sentiment.language import name_of, parse_languages
from sentiment.models.bundle import count_parameters
from sentiment.models.huggingface.finetuned import ImportedClassifier, import_classifier
from sentiment.models.huggingface.hub import download, fetch
from sentiment.predictor import Predictor
from sentiment.registry import VALIDATION, Lineage, ModelRegistry, RegisteredVersion, Registry
from sentiment.settings import Settings, load_settings
from sentiment.text import CURRENT_NORMALIZER
from sentiment.training.export import export_engines
from sentiment.validation_messages import listed
from sentiment.version import ENGINE_FILES, Version, read_version
from train_jobs.runtime.drafts import draft_of
from train_jobs.runtime.output import job_output
from train_jobs.runtime.tracking_server import tracking_server
from train_jobs.versions.register import register_folder
from train_jobs.versions.write_version import (
    VersionFacts,
    export_calibrated,
    precision_warning,
    require_version_place,
    write,
    write_card_file,
)

_LOG = logging.getLogger(__name__)
_MOST_TEXTS: Final = 2000
_HUB: Final = "hf:"
_CARD: Final = """\
# {name}: imported from {source}

Tells of a text ({languages}) whether it is {labels}. {parameters:.1f} million parameters; windows of at most
{window} tokens. Trained by others: what it learned from, and its licence, are told where it comes from.

{calibration}

Imported with `undertone models import {source}`; its labels, as its authors have them: {given}.
"""


@dataclass(frozen=True)
class CalibrationSet:
    """Labelled texts that a model is calibrated and measured on."""

    version: DatasetVersion
    rows: Sequence[tuple[str, int]]
    """Normalised texts with the ids of their labels."""


def import_model(
    source: str,
    out: Path,
    *,
    labels: LabelSpec | None = None,
    languages: tuple[str, ...] = (),
    held_out: Callable[[tuple[str, ...]], CalibrationSet] | None = None,
    get: Callable[[str, str | None], Path] = download,
) -> Version:
    """Write the version of the classifier at `source` (a folder, or `hf:OWNER/NAME`) into `out` and return it.

    `labels` say what the model's labels mean: names in their order, or pairs. `held_out` returns the texts to calibrate
    on, given the label set. A version in `out` is replaced only when the new one is complete.

    Raises:
        InvalidInput: the model's labels have no names and `labels` is missing or does not fit; or `out` holds foreign
            files.
        ModelRejected: its labels are none of our label sets, or it cannot be read without running code.
        NotFound: there is no such folder or repository.
        Unavailable: the hub cannot be reached.
    """
    require_version_place(out)
    imported = import_classifier(fetch(source, get=get), labels)
    name = next(name for name, label_set in LABEL_SETS.items() if label_set == imported.head.labels)
    texts = held_out(imported.head.labels) if held_out else None
    with draft_of(out) as draft:
        _write(imported, name, source, texts, draft, languages)
    return read_version(out)


def import_and_register(
    registry: ModelRegistry,
    settings: Settings,
    source: str,
    *,
    labels: LabelSpec | None,
    languages: tuple[str, ...] = (),
    data: str | None,
    out: Path | None,
) -> RegisteredVersion:
    """Import a classifier and register its version; without `out` the version's folder is deleted afterwards.

    Raises: what `import_model` and `register_folder` do; NotFound: there is no such dataset version.
    """

    def held_out(labels: tuple[str, ...]) -> CalibrationSet:
        return read_held_out(settings, str(data), labels)

    with tempfile.TemporaryDirectory(prefix="undertone-import-") as folder:
        target = out or Path(folder) / "version"
        texts = held_out if data else None
        version = import_model(source, target, labels=labels, languages=languages, held_out=texts)
        lineage = Lineage(parent=source if source.startswith(_HUB) else "")
        return register_folder(registry, version.folder, "imported", lineage)


def read_held_out(settings: Settings, ref: str, labels: tuple[str, ...]) -> CalibrationSet:
    """Read at most 2,000 labelled texts, evenly spread, of a dataset version.

    Raises:
        NotFound: there is no such version.
        InvalidInput: its labels are not those of the model, or it has none.
    """
    store = open_datasets(settings)
    version = store.find(ref)
    if not set(version.labels) <= set(labels) or len(version.labels) < 2:
        raise InvalidInput(
            f"{version.ref} has the labels {listed(version.labels)}; the model answers with {listed(labels)}: name a "
            "dataset version with these labels."
        )
    rows = [(row.text, labels.index(row.label)) for row in store.read(version) if row.label is not None]
    return CalibrationSet(version, rows[:: -(-len(rows) // _MOST_TEXTS)])


def _write(
    imported: ImportedClassifier,
    name: str,
    source: str,
    held_out: CalibrationSet | None,
    folder: Path,
    languages: tuple[str, ...],
) -> None:
    dataset: dict[str, Any] = {"imported_from": source}
    if held_out:
        dataset |= {"ref": held_out.version.ref, "digest": held_out.version.digest, "used_for": "calibration"}
        facts = export_calibrated(imported.start, held_out.rows, folder, dataset, name=name)
        facts = replace(facts, metrics={**facts.metrics, **_measure(folder, held_out.rows)})
    else:
        export_engines(imported.start, folder)
        plain = dict.fromkeys(ENGINE_FILES, 1.0)
        facts = VersionFacts(imported.start.config.positions, plain, dataset, {}, datetime.now(UTC), name)
    facts = replace(facts, languages=languages)
    write_card_file(folder, _card(imported, name, source, held_out, facts))
    _LOG.info("wrote version %s", write(folder, facts))


def _measure(folder: Path, rows: Sequence[tuple[str, int]]) -> dict[str, float]:
    """Return figures of the engine that serves on CPUs, on the texts that it was calibrated on."""
    predictor = Predictor.load(folder)
    answers = predictor.predict([text for text, _ in rows], gated=False)
    probabilities = np.array(answers.probabilities, dtype=np.float64)
    ids, predictions = np.array([label for _, label in rows]), probabilities.argmax(axis=1)
    classes = len(predictor.labels)
    figures = {
        "accuracy": accuracy(ids, predictions),
        "macro_recall": macro_recall(ids, predictions, classes),
        "macro_f1": macro_f1(ids, predictions, classes),
        "ece": expected_calibration_error(probabilities, ids),
    }
    return {f"{VALIDATION}{figure}": round(float(value), 5) for figure, value in figures.items()}


def _card(
    imported: ImportedClassifier, name: str, source: str, held_out: CalibrationSet | None, facts: VersionFacts
) -> str:
    return _CARD.format(
        name=name,
        source=source,
        languages=", ".join(map(name_of, facts.languages)) or "in any language: none is named",
        labels=" or ".join(LABEL_SETS[name]),
        parameters=count_parameters(imported.start.model).all / 1e6,
        window=facts.window_tokens,
        calibration=_calibration(held_out, facts),
        given=imported.head.meanings,
    )


def _calibration(held_out: CalibrationSet | None, facts: VersionFacts) -> str:
    if held_out is None:
        return f"Its probabilities are not calibrated, and nothing was measured here (normaliser {CURRENT_NORMALIZER})."
    figures: Mapping[str, Any] = facts.metrics
    warning = precision_warning(facts.temperature, figures)
    engine = "full-precision" if warning else "int8"
    text = (
        f"Its probabilities are calibrated on {len(held_out.rows):,} texts of {held_out.version.ref} (normaliser "
        f"{CURRENT_NORMALIZER}). On the same texts the {engine} engine has macro-recall "
        f"{figures['validation_macro_recall']:.4f}, accuracy {figures['validation_accuracy']:.4f}, "
        f"ECE {figures['validation_ece']:.4f}."
    )
    return f"{text} {warning}" if warning else text


def main(arguments: Sequence[str]) -> None:
    """Import and register as the command line asks; write one line of JSON to standard output."""
    options = _parser().parse_args(arguments)
    with job_output():
        settings = load_settings()
        labels = parse_labels(options.labels) if options.labels else None
        with tracking_server(settings) as uri:
            registered = import_and_register(
                Registry(uri),
                settings,
                options.source,
                labels=labels,
                languages=parse_languages(options.languages),
                data=options.data,
                out=options.out,
            )
        sys.stdout.write(json.dumps(asdict(registered)) + "\n")


def _parser() -> argparse.ArgumentParser:
    description = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m train_jobs.versions.import_model", description=description)
    parser.add_argument("source", help="hf:OWNER/NAME, or a folder")
    parser.add_argument("--labels", help="names of its labels in order, or NAME=label,… for each")
    parser.add_argument("--languages", default="any", help="languages that it reads: en,de or any (any)")
    parser.add_argument("--data", help="dataset version to calibrate on")
    parser.add_argument("--out", type=Path, help="keep the version's folder there")
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
