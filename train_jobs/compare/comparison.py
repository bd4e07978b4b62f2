"""Train models on one dataset version; compare their cost and quality with each other and with a linear baseline.

python -m train_jobs.compare --data reviews@1 --models lstm,cnn,bert-gru,distilbert,student --set window_tokens=256
python -m train_jobs.compare --data tweets@3 --test tweets-test@1 --versions models:/sentiment/7,build/student
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
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
from train_jobs.compare.files import ModelMeasurement, cached_measurement, key_of, write_comparison
from train_jobs.compare.options import CompareOptions
from train_jobs.compare.plan import CompareConfig, Plan, plan_of, taught_by
from train_jobs.compare.splits import SplitVersions
from train_jobs.compare.trained_versions import (
    DatasetSplits,
    TrainingSetup,
    measure_version,
    train_version,
    trained_folder,
)
from train_jobs.runtime.options import Address, read_options
from train_jobs.runtime.output import run_as_job
from train_jobs.runtime.tracked_results import track_comparison
from train_jobs.runtime.tracking_server import tracking_server
from train_jobs.train.prepare import RunLocations
from train_jobs.train.request import assignment, nested, read_config

_LOG = logging.getLogger(__name__)
_BASELINE: Final = "linear"

#: Called when a step begins, and with the latest figures (empty elsewhere) while a model trains.
OnStep = Callable[[str, Mapping[str, float]], None]


def _log_step(step: str, report: Mapping[str, float]) -> None:
    if not report:
        _LOG.info("%s", step)


def run_comparison(settings: Settings, config: CompareConfig, out: Path, on_step: OnStep = _log_step) -> Comparison:
    """Compare as `config` says; figures that an earlier run into `out` measured in the same way are reused.

    The table gives a reason instead of figures for a model that cannot be trained or served.

    Raises:
        InvalidInput: the data cannot be split, or a configuration is wrong; nothing has been trained then.
        NotFound: there is no such dataset version or model version.
    """
    return _run(settings, plan_of(settings, config).fixed(RunLocations.of(settings)), out, on_step)


def compare_and_keep(
    settings: Settings,
    config: CompareConfig,
    out: Path | None = None,
    *,
    address: str | None = None,
    on_step: OnStep = _log_step,
) -> dict[str, Any]:
    """Compare; write table, figures and pictures into `out` (default: home's `comparisons`); record an MLflow run.

    The outcome has `result` (all figures), `summary` (the table as Markdown), `folder` and `run_id`.

    Raises: what `run_comparison` does; InvalidInput, before anything is trained, if Ray has no room for one of the
        trainings; RegistryUnavailable if the configured MLflow server does not answer.
    """
    from train_jobs.runs.capacity import need_on_cluster, own_cpus, own_gpus, require_capacity
    from train_jobs.train.ray_train import ray_running

    plan = plan_of(settings, config)
    folder = out or settings.home / "comparisons" / plan.config.data.replace("@", "-")
    needs = [job.need for job in plan.jobs.values()]
    ray = ray_running(address, own_cpus(needs), own_gpus(needs))
    with tracking_server(settings) as uri:
        tracked_settings = settings.model_copy(update={"tracking_uri": uri})
        plan = plan.fixed(RunLocations.of(settings, uri))
        with ray if config.models else nullcontext():
            for job in plan.jobs.values():
                require_capacity(need_on_cluster(job.config, job.workers, job.gpus_per_worker))
            comparison = _run(tracked_settings, plan, folder, on_step)
        write_comparison(comparison, folder)
        run_id = track_comparison(uri, comparison, folder, asdict(plan.config), plan.splits)
    return {
        "run_id": run_id,
        "folder": str(folder),
        "summary": to_markdown(comparison),
        "result": comparison.to_mapping(),
    }


@dataclass(frozen=True, kw_only=True)
class _JobOptions(CompareOptions):
    """The options of the module: a job joins a cluster itself."""

    address: Address = None


def main(arguments: Sequence[str]) -> None:
    """Compare what the command line names; the table and the outcome go to standard output."""
    options = read_options(_JobOptions, "python -m train_jobs.compare", (__doc__ or "").split("\n")[0], arguments)

    def work() -> dict[str, Any]:
        address = options.address or job_address()
        return compare_and_keep(load_settings(), config_of(options), options.out, address=address)

    run_as_job(work)


def config_of(options: CompareOptions) -> CompareConfig:
    """Return what options ask for. Raises InvalidInput, naming the field."""
    training = {**read_config(options.config), **dict(assignment(text) for text in options.changes or [])}
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


def _run(settings: Settings, plan: Plan, out: Path, on_step: OnStep) -> Comparison:
    splits, config = plan.splits, plan.config
    dataset = _read(settings, splits)
    digests = [splits.train.digest, splits.validation.digest, splits.test.digest]
    on_step("measuring the linear baseline", {})
    key = key_of([*digests, steps_key(config.steps)] if config.steps else digests)
    baseline = cached_measurement(out / _BASELINE, key, lambda: _baseline(dataset, config.steps))
    measured = [baseline]
    for ref in config.versions:
        on_step(f"measuring {ref}", {})
        measured.append(measure_version(settings, ref, dataset, config.threads))
    trained, missing = _train_all(settings, plan, dataset, digests, out, on_step)
    return _against_baseline(splits, dataset, [*measured, *trained], missing)


def _train_all(
    settings: Settings, plan: Plan, dataset: DatasetSplits, digests: Sequence[str], out: Path, on_step: OnStep
) -> tuple[list[ModelMeasurement], dict[str, str]]:
    """Return the figures of the models that could be trained, and the reasons why the others could not."""
    measured: list[ModelMeasurement] = []
    trained: dict[str, Path] = {}
    missing: dict[str, str] = {}
    for name, setup in plan.jobs.items():
        on_step(f"training {name}", {})
        job = taught_by(setup, trained)
        workers = [{"workers": job.workers}] if job.workers > 1 else []
        key = key_of([job.config.to_mapping(), *digests, *workers])

        def train(name: str = name, job: TrainingSetup = job, key: str = key) -> ModelMeasurement:
            with _reason_kept():
                return train_version(settings, job, dataset, key, plan.config.threads, partial(on_step, name))

        folder = trained_folder(settings, job, key)
        is_missing = name in plan.teachers and not folder.is_dir()  # others learn from the version itself
        try:
            _require_taught(job, missing)
            measured.append(cached_measurement(out / name, key, train, again=is_missing))
            trained[name] = folder
        except _NotTrainedError as exc:
            _LOG.warning("%s is not compared: %s", name, exc)
            missing[name] = str(exc)
    return measured, missing


class _NotTrainedError(Exception):
    """A model cannot be trained or served; the others can still be compared."""


@contextmanager
def _reason_kept() -> Iterator[None]:
    try:
        yield
    except (InvalidInput, ModelRejected) as exc:
        raise _NotTrainedError(str(exc)) from exc


def _require_taught(job: TrainingSetup, missing: Mapping[str, str]) -> None:
    if job.config.distill and (teacher := job.config.distill.teacher) in missing:
        raise _NotTrainedError(f"its teacher {teacher} could not be trained")


def _read(settings: Settings, splits: SplitVersions) -> DatasetSplits:
    store = open_datasets(settings)

    def rows(part: Any) -> list[Example]:
        return [row for row in store.read(part) if row.label is not None]

    train, validation, test = rows(splits.train), rows(splits.validation), rows(splits.test)
    return DatasetSplits(splits.test.labels, train, validation, test)


def _baseline(dataset: DatasetSplits, steps: Sequence[str]) -> ModelMeasurement:
    do, parts = open_steps(steps), (dataset.train, dataset.validation, dataset.test)
    figures = measure_baseline(*(_split(rows, do) for rows in parts))
    model = ComparedModel(
        name=_BASELINE,
        linear=True,
        detail=f"TF-IDF of {figures.chosen}, the best of {figures.tried} on validation; all fitted in "
        f"{figures.search_s:,.0f} s",
        parameters=figures.parameters,
        trained_parameters=figures.parameters,
        epoch_s=figures.fit_s,
        train_accuracy=figures.train_accuracy,
        validation_accuracy=figures.validation_accuracy,
        test_accuracy=figures.test_accuracy,
        test_macro_recall=figures.test_macro_recall,
        texts_per_s=figures.texts_per_s,
        training_peak_bytes=figures.peak_memory_bytes,
    )
    return ModelMeasurement(model, figures.test_predictions)


def _split(rows: Sequence[Example], do: Step) -> BaselineSplit:
    return BaselineSplit([do(row.text) for row in rows], [row.label or "" for row in rows])


def _against_baseline(
    splits: SplitVersions, dataset: DatasetSplits, measured: Sequence[ModelMeasurement], missing: Mapping[str, str]
) -> Comparison:
    """Compare each model with the linear baseline, the first in `measured`."""
    baseline = measured[0]
    labels, truth = dataset.labels, tuple(row.label or "" for row in dataset.test)
    label_ids = {label: place for place, label in enumerate(labels)}
    ids, linear = (np.array([label_ids[label] for label in part]) for part in (truth, baseline.test_predictions))
    models = [baseline.model]
    for each in measured[1:]:
        predictions = np.array([label_ids[label] for label in each.test_predictions])
        difference = compare(ids, predictions, linear, len(labels))[0]
        models.append(replace(each.model, against_linear=difference))
    rows = {"train": len(dataset.train), "validation": len(dataset.validation), "test": len(dataset.test)}
    return Comparison(splits.train.ref, splits.validation.ref, splits.test.ref, rows, tuple(models), missing)
