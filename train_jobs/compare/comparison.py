"""Train models side by side on one dataset version, and tell what each costs and whether it beats the linear baseline.

python -m train_jobs.compare --data reviews@1 --models lstm,cnn,bert-gru,distilbert,student --set window_tokens=256
python -m train_jobs.compare --data tweets@3 --test tweets-test@1 --versions models:/sentiment/7,build/student
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from sentiment.datasets import Example, open_datasets
from sentiment.errors import InvalidInput, ModelRejected
from sentiment.evaluation.baseline import BaselineSplit, measure_baseline
from sentiment.evaluation.bootstrap import compare
from sentiment.evaluation.comparison import ComparedModel, Comparison, to_markdown
from sentiment.settings import Settings, job_address, load_settings
from sentiment.text.steps import Step, open_steps, steps_key
from train_jobs.compare.files import Measured, kept, key_of, write_comparison
from train_jobs.compare.plan import CompareConfig, Plan, plan_of, taught_by
from train_jobs.compare.splits import Splits
from train_jobs.compare.trained_versions import DatasetSplits, TrainAs, measure_version, train_version, trained_folder
from train_jobs.runtime.output import run_as_job
from train_jobs.runtime.tracked_results import track_comparison
from train_jobs.runtime.tracking_server import tracking_server
from train_jobs.train.prepare import Places
from train_jobs.train.request import assignment, nested, read_config

_LOG = logging.getLogger(__name__)
_BASELINE: Final = "linear"

#: Told of each step as it begins, and of a training's figures of the moment (empty elsewhere).
OnStep = Callable[[str, Mapping[str, float]], None]


def _log_step(step: str, report: Mapping[str, float]) -> None:
    if not report:
        _LOG.info("%s", step)


def run_comparison(settings: Settings, config: CompareConfig, out: Path, on_step: OnStep = _log_step) -> Comparison:
    """Compare as `config` says. What an earlier run into `out` measured in the same way is taken from there.

    A model that cannot be trained or served has no figures, and its reason in the table.

    Raises:
        InvalidInput: the data cannot be split, or a configuration is wrong; before anything is trained.
        NotFound: there is no such dataset version or model version.
    """
    return _run(settings, plan_of(settings, config).fixed(Places.of(settings)), out, on_step)


def compare_and_keep(
    settings: Settings,
    config: CompareConfig,
    out: Path | None = None,
    *,
    address: str | None = None,
    on_step: OnStep = _log_step,
) -> dict[str, Any]:
    """Compare, write table, figures and pictures into `out` (home's `comparisons` by default), record it in MLflow.

    The outcome has `result` (all figures), `summary` (the table as Markdown), `folder` and `run_id`.

    Raises: what `run_comparison` does; InvalidInput if Ray has no room for a training, naming the field, before any
        begins; RegistryUnavailable if the MLflow server that is set does not answer.
    """
    from train_jobs.runs.capacity import need_on_cluster, own_cpus, own_gpus, require_capacity
    from train_jobs.train.ray_train import ray_running

    plan = plan_of(settings, config)
    folder = out or settings.home / "comparisons" / plan.config.data.replace("@", "-")
    needs = [job.need for job in plan.jobs.values()]
    ray = ray_running(address, own_cpus(needs), own_gpus(needs))
    with tracking_server(settings) as uri:
        known = settings.model_copy(update={"tracking_uri": uri})
        plan = plan.fixed(Places.of(settings, uri))
        with ray if config.models else nullcontext():
            for job in plan.jobs.values():
                require_capacity(need_on_cluster(job.config, job.workers, job.gpus_per_worker))
            found = _run(known, plan, folder, on_step)
        write_comparison(found, folder)
        run_id = track_comparison(uri, found, folder, asdict(plan.config), plan.splits)
    return {"run_id": run_id, "folder": str(folder), "summary": to_markdown(found), "result": found.to_mapping()}


def main(arguments: Sequence[str]) -> None:
    """Compare what the command line names; the table and the outcome go to standard output."""
    options = parser().parse_args(arguments)

    def work() -> dict[str, Any]:
        address = options.address or job_address()
        return compare_and_keep(load_settings(), config_of(options), options.out, address=address)

    run_as_job(work)


def config_of(options: argparse.Namespace) -> CompareConfig:
    """Return what the parsed command line asks for. Raises InvalidInput, naming the field."""
    training = {**read_config(options.config), **dict(assignment(text) for text in options.set)}
    if options.epochs is not None:
        training["epochs"] = options.epochs
    return CompareConfig(
        data=options.data,
        models=names_of(options.models),
        versions=names_of(options.versions),
        validation=options.validation,
        test=options.test,
        training=nested(training),
        workers=options.workers,
        gpus_per_worker=options.gpus_per_worker,
        threads=options.threads,
    )


def names_of(text: str) -> tuple[str, ...]:
    """Read `lstm,cnn`; a name that stands twice counts once."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(prog="python -m train_jobs.compare", description=(__doc__ or "").split("\n")[0])
    made.add_argument("--data", required=True, help="dataset version to train on; a tenth each validates and tests")
    made.add_argument("--validation", help="dataset version to choose on instead")
    made.add_argument("--test", help="dataset version to test on instead")
    made.add_argument("--models", default="", help="presets to train: lstm,cnn,bert-gru,distilbert,student")
    made.add_argument("--versions", default="", help="versions that there are: folders, or models:/NAME/NUMBER")
    made.add_argument("--epochs", type=int, help="epochs of every model")
    made.add_argument("--config", help="YAML file with fields of the training, for all or under a model's name")
    made.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="change a field of it")
    made.add_argument("--workers", type=int, default=1, help="data-parallel workers of a training (1)")
    made.add_argument("--gpus-per-worker", type=float, default=0, help="GPUs of each (0)")
    made.add_argument("--threads", type=int, default=2, help="threads of training on a CPU, and of measuring (2)")
    made.add_argument("--address", help="Ray cluster to train on; inside a Ray job its own, else one is started")
    made.add_argument("--out", type=Path, help="folder for table, pictures and versions (home's comparisons)")
    return made


def _run(settings: Settings, plan: Plan, out: Path, on_step: OnStep) -> Comparison:
    splits, config = plan.splits, plan.config
    dataset = _read(settings, splits)
    digests = [splits.train.digest, splits.validation.digest, splits.test.digest]
    on_step("measuring the linear baseline", {})
    key = key_of([*digests, steps_key(config.steps)] if config.steps else digests)
    baseline = kept(out / _BASELINE, key, lambda: _baseline(dataset, config.steps))
    measured = [baseline]
    for ref in config.versions:
        on_step(f"measuring {ref}", {})
        measured.append(measure_version(settings, ref, dataset, config.threads))
    found, missing = _train_all(settings, plan, dataset, digests, out, on_step)
    return _beside(splits, dataset, [*measured, *found], missing)


def _train_all(
    settings: Settings, plan: Plan, dataset: DatasetSplits, digests: Sequence[str], out: Path, on_step: OnStep
) -> tuple[list[Measured], dict[str, str]]:
    """Return the figures of the models that could be trained, and of the others the reason why not."""
    measured: list[Measured] = []
    trained: dict[str, Path] = {}
    missing: dict[str, str] = {}
    for name, asked in plan.jobs.items():
        on_step(f"training {name}", {})
        job = taught_by(asked, trained)
        workers = [{"workers": job.workers}] if job.workers > 1 else []
        key = key_of([job.config.to_mapping(), *digests, *workers])

        def train(name: str = name, job: TrainAs = job, key: str = key) -> Measured:
            with _reason_kept():
                return train_version(settings, job, dataset, key, plan.config.threads, partial(on_step, name))

        folder = trained_folder(settings, job, key)
        is_missing = name in plan.teachers and not folder.is_dir()  # others learn from the version itself
        try:
            _require_taught(job, missing)
            measured.append(kept(out / name, key, train, again=is_missing))
            trained[name] = folder
        except _NotTrainedError as exc:
            _LOG.warning("%s is not compared: %s", name, exc)
            missing[name] = str(exc)
    return measured, missing


class _NotTrainedError(Exception):
    """One model cannot be trained or served; the others can be compared without it."""


@contextmanager
def _reason_kept() -> Iterator[None]:
    try:
        yield
    except (InvalidInput, ModelRejected) as exc:
        raise _NotTrainedError(str(exc)) from exc


def _require_taught(job: TrainAs, missing: Mapping[str, str]) -> None:
    if job.config.distill and (teacher := job.config.distill.teacher) in missing:
        raise _NotTrainedError(f"its teacher {teacher} could not be trained")


def _read(settings: Settings, splits: Splits) -> DatasetSplits:
    store = open_datasets(settings)

    def rows(part: Any) -> list[Example]:
        return [row for row in store.read(part) if row.label is not None]

    train, validation, test = rows(splits.train), rows(splits.validation), rows(splits.test)
    return DatasetSplits(splits.test.labels, train, validation, test)


def _baseline(dataset: DatasetSplits, steps: Sequence[str]) -> Measured:
    do, parts = open_steps(steps), (dataset.train, dataset.validation, dataset.test)
    found = measure_baseline(*(_split(rows, do) for rows in parts))
    model = ComparedModel(
        name=_BASELINE,
        linear=True,
        detail=f"TF-IDF of {found.chosen}, the best of {found.tried} on validation; tried in {found.search_s:,.0f} s",
        parameters=found.parameters,
        trained_parameters=found.parameters,
        epoch_s=found.fit_s,
        train_accuracy=found.train_accuracy,
        validation_accuracy=found.validation_accuracy,
        test_accuracy=found.test_accuracy,
        test_macro_recall=found.test_macro_recall,
        texts_per_s=found.texts_per_s,
        training_peak_bytes=found.peak_memory_bytes,
    )
    return Measured(model, found.test_predictions)


def _split(rows: Sequence[Example], do: Step) -> BaselineSplit:
    return BaselineSplit([do(row.text) for row in rows], [row.label or "" for row in rows])


def _beside(
    splits: Splits, dataset: DatasetSplits, measured: Sequence[Measured], missing: Mapping[str, str]
) -> Comparison:
    """Compare models with the linear baseline, which is the first one that was `measured`."""
    baseline = measured[0]
    labels, truth = dataset.labels, tuple(row.label or "" for row in dataset.test)
    places = {label: place for place, label in enumerate(labels)}
    ids, linear = (np.array([places[label] for label in part]) for part in (truth, baseline.test_predictions))
    models = [baseline.model]
    for each in measured[1:]:
        said = np.array([places[label] for label in each.test_predictions])
        difference = compare(ids, said, linear, len(labels))[0]
        models.append(replace(each.model, against_linear=difference))
    rows = {"train": len(dataset.train), "validation": len(dataset.validation), "test": len(dataset.test)}
    return Comparison(splits.train.ref, splits.validation.ref, splits.test.ref, rows, tuple(models), missing)
