"""The MLflow run of a job: what it was asked for, its curves and pictures, and the version that it made."""

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
from train_jobs.train.prepare import Data, Places, digest_of, find_data, held_out_texts
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
    """One job's run. A server that goes away while it trains costs the curves of that time, not the training."""

    def __init__(self, job: Job, folder: Path, places: Places, run: Run, data: Data) -> None:
        self._job, self._places, self._run, self._data = job, places, run, data
        self._folder = folder
        self._away = False

    @property
    def run_id(self) -> str:
        """The run's id in MLflow."""
        return self._run.run_id

    def take(self, report: Report) -> None:
        """Add a report of the moment to the curves."""
        figures = {name: value for name, value in report.items() if name not in ("step", "total_steps")}
        try:
            self._run.log(figures, int(report["step"]))
            self._away = False
        except RegistryUnavailable as exc:
            if not self._away:
                _LOG.warning("the curves have a gap: %s", exc)
            self._away = True

    def make_version(self, result: TrainResult) -> Version:
        """Make a version folder of the best model and store it, the pictures and the history with the run."""
        best = max(result.history, key=lambda entry: entry["step"] == result.metrics["step"])
        held_out = held_out_texts(self._job.config, self._places)
        made = version_from_model(
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
        self._run.artifact(made.folder, _VERSION)
        self._run.log({f"best_{name}": value for name, value in result.metrics.items()}, result.steps)
        return made

    def register(self, made: Version) -> str:
        """Register the version and return its reference, `models:/NAME/NUMBER`."""
        registered = register_folder(Registry(self._places.registry), made.folder, "trained")
        return f"models:/{registered.name}/{registered.version}"

    def describe(self) -> None:
        """Store the configuration and what the run ran on."""
        self._store("config.json", self._job.config.to_mapping())
        self._store("environment.json", environment())

    def _store(self, name: str, content: Any) -> None:
        with tempfile.TemporaryDirectory(prefix="undertone-") as folder:
            path = Path(folder) / name
            path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
            self._run.artifact(path)


@contextmanager
def tracked(job: Job, held: RunFolder, places: Places) -> Iterator[TrackedRun]:
    """Yield a job's run, which this process is at; taken up under its old id if the job is. It ends with the block."""
    data = find_data(job.config, places)
    run = _open(Tracker(places.registry), job, held, data)
    tracked_run = TrackedRun(job, held.folder, places, run, data)
    with ended(run):
        tracked_run.describe()
        yield tracked_run


def lineage_of(job: Job, data: Data) -> dict[str, Any]:
    """Return where a version comes from, as its manifest and the run's tags say it."""
    known = {
        "ref": data.train.ref,
        "digest": data.train.digest,
        "rows": data.train.rows,
        "git_commit": git_commit(),
        "teacher": job.config.distill.teacher if job.config.distill else None,
        "validation": data.validation.ref if data.validation else None,
    }
    return {name: value for name, value in known.items() if value}


def environment() -> dict[str, Any]:
    """Return what this process runs on: machine, GPUs, versions."""
    gpus = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cpus": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / _GIB, 1),
        "gpus": [{"name": gpu.name, "memory_gib": round(gpu.total_memory / _GIB, 1)} for gpu in gpus],
        "cuda": torch.version.cuda,
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
    }


def git_commit() -> str | None:
    """Return the commit that the code is of, with `+` behind it if files were changed since; None outside of git."""
    if not shutil.which("git"):
        return None
    commit, changed = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--untracked-files=no")
    return f"{commit}{'+' if changed else ''}" if commit else None


def _git(*arguments: str) -> str:
    found = subprocess.run(
        ["git", "-C", str(Path(__file__).parent), *arguments], capture_output=True, text=True, check=False
    )
    return found.stdout.strip()


def _open(tracker: Tracker, job: Job, held: RunFolder, data: Data) -> Run:
    if (known := held.tracked_as()) and (run := tracker.again(known)):
        return run
    lineage = lineage_of(job, data)
    tags = {"dataset": lineage["ref"], "dataset_digest": lineage["digest"], "job": _kind(job)}
    tags |= {name: lineage[name] for name in ("git_commit", "teacher") if name in lineage}
    params = {**_flat(job.config.to_mapping()), "workers": job.workers, "gpus_per_worker": job.gpus_per_worker}
    run = tracker.run(held.name, {**params, "rows": data.train.rows, "normalizer": CURRENT_NORMALIZER}, tags)
    held.keep_tracked_as(run.run_id)
    return run


def _kind(job: Job) -> str:
    return "distill" if job.config.distill else "train"


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return found


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
