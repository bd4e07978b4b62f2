"""Average the weights of trained versions, those that help on validation or all, into a new version (a model soup).

python -m train_jobs.average --versions build/a/version,models:/sentiment/7 --out build/soup
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from sentiment.datasets import Example
from sentiment.errors import InvalidInput
from sentiment.labels import LABEL_SETS
from sentiment.models.averaging import greedy, uniform
from sentiment.models.bundle import ModelBundle
from sentiment.models.zoo import load_model, save_model
from sentiment.registry import Registry, resolve_model
from sentiment.registry.tracking import Tracker, ended
from sentiment.settings import Settings, load_settings
from sentiment.training.batching.encoded import encoded_texts
from sentiment.training.config import CALIBRATIONS, MONITORS, TrainConfig, from_mapping
from sentiment.training.objectives.objective import dtype_of
from sentiment.training.optimisation.early_stopping import score_of
from sentiment.training.validation import ValidationSet, figures_of_logits, held_out_logits
from sentiment.version import Manifest, Version, read_version
from train_jobs.compare.comparison import names_of
from train_jobs.runtime.output import run_as_job
from train_jobs.runtime.tracking_server import tracking_server
from train_jobs.train.prepare import RunLocations, digest_of, held_out_texts
from train_jobs.versions.register import register_folder
from train_jobs.versions.write_version import require_version_place, version_from_model

#: Which versions are averaged: `greedy` those that do not make the mean worse on validation, `uniform` all.
RECIPES: Final = {"greedy": greedy, "uniform": uniform}
_FEWEST: Final = 2
_MODEL: Final = "model"
_VERSION: Final = "version"


@dataclass(frozen=True)
class AverageConfig:
    """What to average and how."""

    versions: tuple[str, ...]  #: folders or references into the registry
    validation: str | None = None  #: dataset version to choose on; None for the texts that all were validated on
    monitor: str = "macro_recall"  #: figure that must not fall
    calibration: str | None = None  #: as in a training's configuration; None for the first version's
    register: bool = False
    recipe: str = "greedy"  #: one of `RECIPES`

    def __post_init__(self) -> None:
        for name, choices in (("recipe", RECIPES), ("monitor", MONITORS), ("calibration", CALIBRATIONS)):
            if (value := getattr(self, name)) is not None and value not in choices:
                raise InvalidInput(f"{name} is {value!r}; it must be one of {', '.join(choices)}", name)
        if len(self.versions) < _FEWEST:
            raise InvalidInput("Name at least two versions: folders, or models:/NAME/NUMBER.", "versions")


def run_averaging(
    settings: Settings, config: AverageConfig, out: Path, on_step: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Average as `config` says, write the version into `out`, track an MLflow run, and register it if requested.

    The outcome has the `members` (the best first), the `scores` of all versions, the average's `score`, its `folder`
    and `digest`, the `run_id`, and `registered`.

    Raises:
        InvalidInput: the versions cannot be averaged (`shared_config`, `judging_texts`), or `out` holds foreign files.
        NotFound: there is no such version or dataset.
    """
    require_version_place(out / _VERSION)
    with tracking_server(settings) as uri:
        registry = Registry(uri)
        versions = [read_version(resolve_model(settings, ref, registry).folder) for ref in config.versions]
        trained = shared_config(versions, config.validation)
        trained = from_mapping({**trained.to_mapping(), "calibration": config.calibration or trained.calibration})
        places = RunLocations.of(settings, uri)
        held_out = judging_texts(versions[0], trained, places, named=config.validation is not None)
        scores, soup, members, score = _stir(versions, trained, places, held_out, config, on_step)
        named = [config.versions[place] for place in members]
        on_step("writing the version")
        lineage = {**_lineage(versions[0].manifest, trained, named), "held_out": digest_of(held_out)}
        read = {version.manifest.languages for version in versions}
        languages = read.pop() if len(read) == 1 else ()
        new_version = _write(soup, trained, held_out, out, lineage, {config.monitor: score}, languages)
        facts = {"members": named, "scores": dict(zip(config.versions, scores, strict=True)), "score": score}
        run_id = _track(uri, out, config, facts, new_version, _data_tags(lineage, trained, places))
        registered = register_folder(registry, new_version.folder, "trained") if config.register else None
    reference = f"models:/{registered.name}/{registered.version}" if registered else None
    outcome = {
        **facts,
        "folder": str(new_version.folder),
        "digest": new_version.digest,
        "run_id": run_id,
        "registered": reference,
    }
    return {**outcome, "summary": _summary(facts, config.monitor)}


def main(arguments: Sequence[str]) -> None:
    """Average as the command line asks; write the outcome to standard output."""
    options = parser().parse_args(arguments)

    def work() -> dict[str, Any]:
        settings = load_settings()
        return run_averaging(settings, config_of(options), options.out)

    run_as_job(work)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(prog="python -m train_jobs.average", description=(__doc__ or "").split("\n")[0])
    made.add_argument("--versions", required=True, help="versions with weights: folders, or models:/NAME/NUMBER")
    made.add_argument("--validation", help="dataset version to choose on (default: what all were chosen on)")
    made.add_argument("--monitor", default="macro_recall", help=f"one of {', '.join(MONITORS)} (macro_recall)")
    made.add_argument("--calibration", choices=CALIBRATIONS, help="what is fitted (default: as the first version's)")
    made.add_argument("--recipe", choices=RECIPES, default="greedy", help="average those that help, or all (greedy)")
    made.add_argument("--register", action="store_true", help="register the version that is made")
    made.add_argument("--out", type=Path, required=True, help="folder for the model and its version")
    return made


def config_of(options: argparse.Namespace) -> AverageConfig:
    """Return the configuration that the parsed command line asks for. Raises InvalidInput, naming the field."""
    return AverageConfig(
        names_of(options.versions),
        options.validation,
        options.monitor,
        options.calibration,
        options.register,
        options.recipe,
    )


def shared_config(versions: Sequence[Version], validation: str | None) -> TrainConfig:
    """Return the training configuration of the first version, with `validation` in it if that is named.

    Raises:
        InvalidInput: the versions differ in label set or normaliser, or have no weights; or no `validation` is named
            and they held out different texts: some were trained on texts that the average would be chosen on.
    """
    first = versions[0].manifest
    for version in versions:
        manifest = version.manifest
        if (manifest.labels, manifest.normalizer) != (first.labels, first.normalizer):
            pair = f"{version.folder} and {versions[0].folder}"
            raise InvalidInput(f"{pair} must have the same labels and normaliser: name others.", "versions")
        if "torch" not in manifest.engines:
            raise InvalidInput(f"{version.folder} has no weights (model.safetensors): name a full version.", "versions")
    trained = _trained(versions[0])
    if validation:
        return replace(trained, validation=validation)
    for version in versions[1:]:
        if _held_out_by(version) != _held_out_by(versions[0]):
            problem = "held out different texts: each was trained on held-out texts of the other"
            remedy = "name data for --validation that no version was trained on."
            raise InvalidInput(f"{version.folder} and {versions[0].folder} {problem}; {remedy}", "validation")
    return trained


def _trained(version: Version) -> TrainConfig:
    if not isinstance(config := version.manifest.dataset.get("config"), Mapping):
        raise InvalidInput(
            f"{version.folder} does not say how it was trained: put another version first, and name --validation.",
            "versions",
        )
    return from_mapping(config)


def judging_texts(first: Version, trained: TrainConfig, places: RunLocations, *, named: bool) -> list[tuple[str, str]]:
    """Return the texts to choose on, with their labels: those of `--validation` if `named`, else the held-out ones.

    Raises:
        InvalidInput: none are named, and the texts that the `first` version held out cannot be determined: the data
            have changed, or an early release split copies of one text into both parts.
    """
    rows = held_out_texts(trained, places)
    held_out = first.manifest.dataset.get("held_out")
    if named or held_out == digest_of(rows) or (held_out is None and trained.validation):
        return rows
    remedy = "name data for --validation that no version was trained on."
    raise InvalidInput(f"the texts that {first.folder} held out can no longer be determined: {remedy}", "validation")


def _held_out_by(version: Version) -> tuple[Any, ...]:
    """Return values that are equal for two versions if, and only if, they were validated on the same texts."""
    config, held_out = _trained(version), version.manifest.dataset.get("held_out")
    if held_out:
        return (held_out,)
    if config.validation:
        return (config.validation,)
    unlabelled = config.distill.unlabelled if config.distill else None
    return (config.data, config.validation_share, config.seed, config.most_rows, unlabelled)


def _stir(
    versions: Sequence[Version],
    trained: TrainConfig,
    places: RunLocations,
    texts: Sequence[tuple[str, str]],
    config: AverageConfig,
    on_step: Callable[[str], None],
) -> tuple[list[float], ModelBundle, list[int], float]:
    models = [load_model(version.folder) for version in versions]
    held_out = _held_out(models[0], trained, places, texts, versions[0].manifest.labels)
    scores: list[float] = []

    def score(model: ModelBundle) -> float:
        scores.append(_score(model, held_out, trained, config.monitor))
        on_step(f"judged {len(scores)}: {config.monitor} {scores[-1]:.4f}")
        return scores[-1]

    soup, members, best = RECIPES[config.recipe](models, score)
    return scores[: len(versions)], soup, members, best


def _held_out(
    model: ModelBundle,
    trained: TrainConfig,
    places: RunLocations,
    rows: Sequence[tuple[str, str]],
    labels: Sequence[str],
) -> ValidationSet:
    examples = [Example(text, label) for text, label in rows]
    texts = encoded_texts(places.encoded, digest_of(rows), lambda: examples, labels, model.tokenizer, model.steps)
    return ValidationSet(texts, np.arange(len(texts)), trained.window_tokens)


def _score(model: ModelBundle, held_out: ValidationSet, trained: TrainConfig, monitor: str) -> float:
    logits = held_out_logits(model.model, held_out, dtype=dtype_of(trained.dtype, "cpu"))
    return score_of(figures_of_logits(logits, held_out.labels), monitor)


def _write(
    soup: ModelBundle,
    trained: TrainConfig,
    held_out: Sequence[tuple[str, str]],
    out: Path,
    lineage: Mapping[str, Any],
    metrics: Mapping[str, float],
    languages: tuple[str, ...],
) -> Version:
    save_model(soup, out / _MODEL)
    name = next(name for name, labels in LABEL_SETS.items() if len(labels) == soup.config.labels)
    return version_from_model(
        out / _MODEL,
        held_out,
        out / _VERSION,
        name,
        dataset=lineage,
        metrics={f"validation_{name}": round(value, 5) for name, value in metrics.items()},
        window_tokens=trained.window_tokens,
        calibration=trained.calibration,
        languages=languages,
    )


def _lineage(manifest: Manifest, trained: TrainConfig, members: Sequence[str]) -> dict[str, Any]:
    """Return the first version's lineage without its run, with the average's configuration and its members."""
    first = {key: value for key, value in manifest.dataset.items() if key != "run_id"}
    return {**first, "config": trained.to_mapping(), "averaged": list(members)}


def _data_tags(lineage: Mapping[str, Any], trained: TrainConfig, places: RunLocations) -> dict[str, str]:
    """Return tags of the members' training data, and of the validation data if these were named."""
    tags = {tag: str(lineage[key]) for tag, key in (("dataset", "ref"), ("dataset_digest", "digest")) if key in lineage}
    if not trained.validation:
        return tags
    judged = places.store.find(trained.validation)
    return {**tags, "validation": judged.ref, "validation_digest": judged.digest}


def _track(
    uri: str, out: Path, config: AverageConfig, facts: Mapping[str, Any], new_version: Version, data: Mapping[str, str]
) -> str:
    params = {"versions": ",".join(config.versions), "members": ",".join(facts["members"]), "monitor": config.monitor}
    params["recipe"] = config.recipe
    run = Tracker(uri).run(f"average {out.name}", params, {"job": "average", "digest": new_version.digest, **data})
    with ended(run):
        run.log({f"best_validation_{config.monitor}": facts["score"]}, 0)
        run.artifact(new_version.folder, _VERSION)
    return run.run_id


def _summary(facts: Mapping[str, Any], monitor: str) -> str:
    rows = [f"{score:.4f}  {name}" for name, score in facts["scores"].items()]
    return "\n".join([f"{monitor} on validation:", *rows, f"{facts['score']:.4f}  mean of {len(facts['members'])}"])


if __name__ == "__main__":
    main(sys.argv[1:])
