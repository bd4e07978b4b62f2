"""Tracking of runs: parameters, curves, pictures and files of a job in MLflow, behind one small class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from sentiment.access.logins import error_without_login, without_login
from sentiment.clock import epoch_ms
from sentiment.errors import RegistryUnavailable

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT: Final = "undertone-training"

Status = Literal["FINISHED", "FAILED", "KILLED"]

_TIMEOUT_S: Final = 10
_RETRIES: Final = 2
_MOST_METRICS: Final = 1000
_LONGEST_VALUE: Final = 6000
_PARAMS_AT_ONCE: Final = 100


class Run(Protocol):
    """One run that is being tracked."""

    @property
    def run_id(self) -> str:
        """The run's id in the tracking server."""

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Add a point to each curve."""

    def picture(self, name: str, figure: Any) -> None:
        """Store a matplotlib figure as `name` (with `.png`)."""

    def artifact(self, path: Path, folder: str | None = None) -> None:
        """Store a file, or all files of a folder, in the run's folder `folder`."""

    def finish(self, status: Status = "FINISHED") -> None:
        """End the run."""


class Tracker:
    """Runs in the MLflow server at `uri`. Opening it touches nothing; MLflow is imported by the first call.

    All methods, the runs' too, raise RegistryUnavailable when the server does not answer.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._opened: MlflowClient | None = None

    def run(
        self, name: str, params: Mapping[str, Any], tags: Mapping[str, str], *, experiment: str = EXPERIMENT
    ) -> Run:
        """Begin a run under `name`."""
        from mlflow.entities import Param

        with translated(self._uri):
            client = self._client
            run = client.create_run(experiment_id(client, experiment), run_name=name, tags=dict(tags))
            rows = [Param(key, str(value)[:_LONGEST_VALUE]) for key, value in params.items()]
            for start in range(0, len(rows), _PARAMS_AT_ONCE):
                client.log_batch(run.info.run_id, params=rows[start : start + _PARAMS_AT_ONCE])
        return _MlflowRun(client, self._uri, run.info.run_id)

    def again(self, run_id: str) -> Run | None:
        """Take up a run that was begun before; None if the server does not know it any more."""
        from mlflow.exceptions import MlflowException

        try:
            with translated(self._uri):
                self._client.update_run(run_id, status="RUNNING")
        except RegistryUnavailable as exc:
            if isinstance(cause := exc.__cause__, MlflowException) and cause.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
        return _MlflowRun(self._client, self._uri, run_id)

    def highest(self, run_id: str, metric: str) -> float:
        """Return the highest point of a run's curve, 0 where it has none."""
        with translated(self._uri):
            return max((point.value for point in self._client.get_metric_history(run_id, metric)), default=0.0)

    @property
    def _client(self) -> MlflowClient:
        if self._opened is None:
            self._opened = open_client(self._uri)
        return self._opened


class _MlflowRun:
    def __init__(self, client: MlflowClient, uri: str, run_id: str) -> None:
        self._client, self._uri, self.run_id = client, uri, run_id

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Add a point to each curve."""
        from mlflow.entities import Metric

        now = epoch_ms()
        points: Sequence[Metric] = [Metric(name, float(value), now, step) for name, value in metrics.items()]
        with translated(self._uri):
            for start in range(0, len(points), _MOST_METRICS):
                self._client.log_batch(self.run_id, metrics=points[start : start + _MOST_METRICS])

    def picture(self, name: str, figure: Any) -> None:
        """Store a matplotlib figure as `name` (with `.png`)."""
        with translated(self._uri):
            self._client.log_figure(self.run_id, figure, name)

    def artifact(self, path: Path, folder: str | None = None) -> None:
        """Store a file, or all files of a folder, in the run's folder `folder`."""
        with translated(self._uri):
            if path.is_dir():
                self._client.log_artifacts(self.run_id, str(path), folder)
            else:
                self._client.log_artifact(self.run_id, str(path), folder)

    def finish(self, status: Status = "FINISHED") -> None:
        """End the run."""
        with translated(self._uri):
            self._client.set_terminated(self.run_id, status)


@contextmanager
def ended(run: Run) -> Iterator[None]:
    """End a run with the block: finished, killed by Ctrl+C, or failed; a server that is away hides no other error.

    Raises:
        RegistryUnavailable: the block came to its end, and the server does not answer.
    """
    try:
        yield
    except BaseException as exc:
        with suppress(RegistryUnavailable):
            run.finish("KILLED" if isinstance(exc, KeyboardInterrupt) else "FAILED")
        raise
    run.finish()


@contextmanager
def translated(uri: str) -> Iterator[None]:
    """Let what MLflow raises when its server is away be RegistryUnavailable, naming the server and the remedy."""
    from mlflow.exceptions import MlflowException
    from requests import RequestException

    try:
        yield
    except (MlflowException, RequestException, OSError) as exc:
        raise RegistryUnavailable(
            f"the MLflow server at {without_login(uri)} failed ({error_without_login(exc, uri)}): check that it runs, "
            "and UNDERTONE_TRACKING_URI"
        ) from exc


def experiment_id(client: MlflowClient, name: str) -> str:
    """Return the id of an experiment, which is made if need be; another process may be quicker."""
    from mlflow.exceptions import MlflowException

    if experiment := client.get_experiment_by_name(name):
        return str(experiment.experiment_id)
    try:
        return str(client.create_experiment(name))
    except MlflowException as exc:
        if exc.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        return str(client.get_experiment_by_name(name).experiment_id)


def open_client(uri: str) -> MlflowClient:
    """Return MLflow's client of the server at `uri`, which waits for seconds on one that is away, not for minutes."""
    from mlflow import MlflowClient
    from mlflow import environment_variables as variables

    # The defaults wait for minutes on a server that is away, and draw bars and links on the terminal.
    defaults = {
        variables.MLFLOW_HTTP_REQUEST_MAX_RETRIES: _RETRIES,
        variables.MLFLOW_HTTP_REQUEST_TIMEOUT: _TIMEOUT_S,
        variables.MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR: False,
        variables.MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT: True,  # it is for the outcome alone
    }
    for variable, value in defaults.items():
        if not variable.is_set():
            variable.set(value)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)
