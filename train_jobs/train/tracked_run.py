"""The MLflow run of a training job: its parameters, curves and pictures, and the version that it made."""

from __future__ import annotations

import json
import logging
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil
import torch

from sentiment.errors import RegistryUnavailable
from sentiment.labels import LABEL_SETS
from sentiment.registry import Registry
from sentiment.registry.tracking import Run, Tracker, ended
from sentiment.text import CURRENT_NORMALIZER
from sentiment.version import Version
from train_jobs.runs.run_folder import RunFolder, version_folder
from train_jobs.train.pictures import confusion_picture, reliability_picture
from train_jobs.train.prepare import RunDatasets, RunLocations, digest_of, find_datasets, held_out_texts
from train_jobs.train.progress_channel import Report
from train_jobs.train.ray_train import TrainResult
from train_jobs.versions.register import register_folder
from train_jobs.versions.version_languages import version_languages
from train_jobs.versions.write_version import version_from_model

if TYPE_CHECKING:
    from train_jobs.train.request import Job

_LOG = logging.getLogger(__name__)
_GIB: Final = 2**30
_VERSION: Final = "version"
_PACKAGES: Final = ("torch", "ray", "mlflow", "numpy", "tokenizers", "transformers", "onnxruntime", "safetensors")
_LABEL_SET_NAMES: Final = {labels: name for name, labels in LABEL_SETS.items()}


class TrackedRun:
    """The MLflow run of one job. If the server goes away, the curves get a gap; the training goes on."""

    def __init__(self, job: Job, folder: Path, places: RunLocations, run: Run, data: RunDatasets) -> None:
        self._job, self._places, self._run, self._data = job, places, run, data
        self._folder = folder
        self._away = False

    @property
    def run_id(self) -> str:
        """The run's id in MLflow."""
        return self._run.run_id

    def take(self, report: Report) -> None:
        """Add a progress report to the curves."""
        figures = {name: value for name, value in report.items() if name not in ("step", "total_steps")}
        try:
            self._run.log(figures, int(report["step"]))
            self._away = False
        except RegistryUnavailable as exc:
            if not self._away:
                _LOG.warning("the training's curves in MLflow have a gap from here on: %s", exc)
            self._away = True

    def make_version(self, result: TrainResult) -> Version:
        """Make a version folder of the best model; store it, the pictures and the history in the run."""
        best = max(result.history, key=lambda entry: entry["step"] == result.metrics["step"])
        held_out = held_out_texts(self._job.config, self._places)
        new_version = version_from_model(
            result.folder,
            held_out,
            version_folder(self._folder),
            _LABEL_SET_NAMES[self._data.labels],
            dataset={
                **lineage_of(self._job, self._data),
                "held_out": digest_of(held_out),
                "run_id": self.run_id,
                "config": self._job.config.to_mapping(),
            },
            metrics={name: round(value, 5) for name, value in result.metrics.items() if "validation" in name},
            window_tokens=self._job.config.window_tokens,
            calibration=self._job.config.calibration,
            languages=version_languages(self._job.config, [text for text, _ in held_out]),
        )
        self._run.picture("confusion.png", confusion_picture(best["confusion"], self._data.labels))
        self._run.picture("reliability.png", reliability_picture(best["reliability"], best["validation_ece"]))
        self._store("history.json", result.history)
        self._run.artifact(new_version.folder, _VERSION)
        self._run.log({f"best_{name}": value for name, value in result.metrics.items()}, result.steps)
        return new_version

    def register(self, new_version: Version) -> str:
        """Register the version and return its reference, `models:/NAME/NUMBER`."""
        registered = register_folder(Registry(self._places.registry), new_version.folder, "trained")
        return f"models:/{registered.name}/{registered.version}"

    def describe(self) -> None:
        """Store the configuration and the machine's description in the run."""
        self._store("config.json", self._job.config.to_mapping())
        self._store("environment.json", environment())

    def _store(self, name: str, content: Any) -> None:
        with tempfile.TemporaryDirectory(prefix="undertone-") as folder:
            path = Path(folder) / name
            path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
            self._run.artifact(path)


@contextmanager
def open_tracked_run(job: Job, run_folder: RunFolder, places: RunLocations) -> Iterator[TrackedRun]:
    """Yield the MLflow run of a job and end it with the block; a resumed job keeps its earlier run."""
    data = find_datasets(job.config, places)
    run = _open(Tracker(places.registry), job, run_folder, data)
    tracked_run = TrackedRun(job, run_folder.folder, places, run, data)
    with ended(run):
        tracked_run.describe()
        yield tracked_run


def lineage_of(job: Job, data: RunDatasets) -> dict[str, Any]:
    """Return a version's lineage: dataset, commit and teacher, for its manifest and the run's tags."""
    lineage = {
        "ref": data.train.ref,
        "digest": data.train.digest,
        "rows": data.train.rows,
        "git_commit": git_commit(),
        "teacher": job.config.distill.teacher if job.config.distill else None,
        "validation": data.validation.ref if data.validation else None,
    }
    return {name: value for name, value in lineage.items() if value}


def environment() -> dict[str, Any]:
    """Return a description of this machine, its GPUs and the versions of the main packages."""
    gpus = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cpus": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / _GIB, 1),
        "gpus": [{"name": gpu.name, "memory_gib": round(gpu.total_memory / _GIB, 1)} for gpu in gpus],
        "cuda": torch.version.cuda,
        "packages": {name: number for name in _PACKAGES if (number := _version(name))},
    }


def git_commit() -> str | None:
    """Return the commit of the code, with a `+` if files have changed since; None outside of a git checkout."""
    if not shutil.which("git"):
        return None
    commit, changed = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--untracked-files=no")
    return f"{commit}{'+' if changed else ''}" if commit else None


def _git(*arguments: str) -> str:
    completed = subprocess.run(
        ["git", "-C", str(Path(__file__).parent), *arguments], capture_output=True, text=True, check=False
    )
    return completed.stdout.strip()


def _open(tracker: Tracker, job: Job, run_folder: RunFolder, data: RunDatasets) -> Run:
    if (run_id := run_folder.tracked_as()) and (run := tracker.again(run_id)):
        return run
    lineage = lineage_of(job, data)
    tags = {"dataset": lineage["ref"], "dataset_digest": lineage["digest"], "job": _kind(job)}
    tags |= {name: lineage[name] for name in ("git_commit", "teacher") if name in lineage}
    params = {**_flat(job.config.to_mapping()), "workers": job.workers, "gpus_per_worker": job.gpus_per_worker}
    run = tracker.run(run_folder.name, {**params, "rows": data.train.rows, "normalizer": CURRENT_NORMALIZER}, tags)
    run_folder.keep_tracked_as(run.run_id)
    return run


def _kind(job: Job) -> str:
    return "distill" if job.config.distill else "train"


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
