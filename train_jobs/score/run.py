"""Score tables of texts with a model version, by Ray Data: any number of files, on disk or S3, each row exactly once.

    python -m train_jobs.score reviews/ --model models:/sentiment/8 --out scored/
    ray job submit -- python -m train_jobs.score s3://bucket/texts --model models:/sentiment/8 --out s3://bucket/scored

One task for each file cuts it into shards; actors, each with a predictor, score them. A shard's output appears whole,
then the record that it is done. A second run scores the shards without a record.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sentiment.errors import InvalidInput, Unavailable
from sentiment.registry import ResolvedModel, is_folder, resolve_model
from sentiment.settings import Settings, job_address, load_settings
from sentiment.tables import Table, has_text_format, open_table
from sentiment.validation_messages import listed
from train_jobs.runtime.failures import death_in, own_error
from train_jobs.runtime.locations import InputFile, place_at
from train_jobs.runtime.options import read_options
from train_jobs.runtime.output import OUTCOME, job_output
from train_jobs.runtime.ray_cluster import ray_at
from train_jobs.runtime.ray_log import stdout_aside
from train_jobs.score.board import open_board, rows_under_way
from train_jobs.score.job import MANIFEST, ScoreJob, ScoringResult, Totals, finish, open_job
from train_jobs.score.located import naming_rows
from train_jobs.score.options import MOST_SHARD_ROWS, ScoreOptions
from train_jobs.score.shards import ShardResult, read_result
from train_jobs.score.tasks import ShardScorer, cutter

_LOG = logging.getLogger(__name__)

FORMATS: Final = ("parquet", "jsonl", "csv")
_READER_CPUS: Final = 0.25  # must differ from the actors', or Ray Data runs both in one process
_BLOCK_BYTES: Final = 64 * 1024  # a shard leaves its reader as soon as it is cut
_IN_FLIGHT: Final = 2
_MOST_NAMED: Final = 5

Progress = Callable[[Totals], None]


@dataclass(frozen=True)
class ActorPool:
    """The scoring actors."""

    least: int = 1
    """Least number of actors."""
    most: int = 2
    """Most actors."""
    threads: int = 1
    """CPUs of each actor."""
    gpus: float = 0.0
    """GPUs of each actor."""

    def __post_init__(self) -> None:
        for field, lowest in (("least", 1), ("most", 1), ("threads", 1), ("gpus", 0)):
            value = getattr(self, field)
            if not value >= lowest:  # NaN fails this comparison too
                raise InvalidInput(f"--{field} is {value:g}; it must be {lowest} or more.", field)
        if self.least > self.most:
            raise InvalidInput(f"--least {self.least} is more than --most {self.most}: lower --least.", "least")


def score(
    job: ScoreJob,
    model: ResolvedModel,
    settings: Settings,
    fleet: ActorPool = ActorPool(),
    progress: Progress | None = None,
    overwrite: bool = False,
) -> ScoringResult:
    """Score what has not been scored yet; Ray is started after all checks that need no Ray.

    Raises:
        InvalidInput: there is no input or no such column, or the output folder holds foreign files.
        Unavailable: the input cannot be read, or the output cannot be written.
        ModelRejected: the version cannot be run.
    """
    inputs = job.source.inputs()
    require_tables(job, inputs)
    opened = open_job(job, inputs, overwrite)
    done, totals = opened.done, Totals.of(opened.done.values())
    if job.out.read(MANIFEST) is not None:
        return ScoringResult(job.out.uri, totals, len(done), was_finished=True)
    for name in opened.changed:
        _LOG.info("%s has changed since an earlier run and is scored again", name)
    with stdout_aside(), ray_started(settings), _released():
        for result in _run(job, model, settings, fleet, opened.inputs, frozenset(done)):
            totals.add(result)
            if progress:
                progress(totals)
    return ScoringResult(job.out.uri, finish(job, model.ref, opened.inputs), len(done), changed=opened.changed)


def main(arguments: Sequence[str]) -> None:
    """Score as the command line asks; the last line on standard output is the outcome, as all jobs write it."""
    options = read_options(ScoreOptions, "python -m train_jobs.score", (__doc__ or "").partition("\n")[0], arguments)
    with job_output():
        outcome = score_files(load_settings(), options, _log)
        sys.stdout.write(f"{OUTCOME}{json.dumps(outcome.plain())}\n")


def actors_of(options: ScoreOptions) -> ActorPool:
    """Return the actors that options ask for. Raises InvalidInput if there can be no such."""
    return ActorPool(options.least, options.most, options.threads, options.gpus)


def score_files(settings: Settings, options: ScoreOptions, progress: Progress) -> ScoringResult:
    """Score what options name. Raises what `score`, `job_of`, `actors_of` and `model_at_hand` do."""
    fleet = actors_of(options)
    with model_at_hand(settings, options.model) as (model, known):
        return score(job_of(known, model, options), model, known, fleet, progress, options.overwrite)


@contextmanager
def model_at_hand(settings: Settings, ref: str) -> Iterator[tuple[ResolvedModel, Settings]]:
    """Yield the version that `ref` names, and settings with which actors find it too, while the block runs.

    For a reference into the registry, an MLflow server is started if none is configured.

    Raises: what `resolve_model` and `tracking_server` do.
    """
    from train_jobs.runtime.tracking_server import tracking_server

    with nullcontext(settings.registry_uri) if is_folder(ref) else tracking_server(settings) as uri:
        tracked_settings = settings.model_copy(update={"tracking_uri": uri})
        yield resolve_model(tracked_settings, ref), tracked_settings


def require_tables(job: ScoreJob, inputs: Sequence[InputFile]) -> None:
    """Check that all input files on this machine are tables with a column of texts; S3 is not checked.

    Raises:
        InvalidInput: some are not; the message gives the reason of the first and names the others.
    """
    wrong: dict[str, InvalidInput] = {}
    for file in () if job.source.is_remote else inputs:
        try:
            with (
                naming_rows(f"{file.name or job.source.uri} cannot be read", file.name),
                job.source.local(file.name) as path,
            ):
                _opened(path, job, is_only=not file.name).require(job.text_column)
        except InvalidInput as exc:
            wrong[file.name] = exc
    if not wrong:
        return
    (_, first), *others = wrong.items()
    if not others:
        raise first
    named = ", ".join(name for name, _ in others[:_MOST_NAMED])
    more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
    raise InvalidInput(f"{first} These cannot be scored either: {named}{more}.", first.field) from first


def _opened(path: Path, job: ScoreJob, *, is_only: bool) -> Table:
    """Open an input file; among several, delimiter and quoting apply to CSV and TSV files only."""
    if not is_only and not has_text_format(path):
        return open_table(path, job.encoding)
    return open_table(path, job.encoding, delimiter=job.delimiter, quoting=job.quoting)


def ray_started(settings: Settings) -> AbstractContextManager[None]:
    """Join this job's own cluster or the one in the settings, or start Ray here, while the block runs.

    Raises:
        Unavailable: there is no cluster at that address.
    """
    return ray_at(job_address() or settings.address)


def job_of(settings: Settings, model: ResolvedModel, options: ScoreOptions) -> ScoreJob:
    """Return the job that options ask for.

    Raises:
        InvalidInput: the format or a scheme is unknown, `shard_rows` is out of range, or `out` lies in the input.
    """
    if options.format not in FORMATS:
        raise InvalidInput(f"The format must be one of {', '.join(FORMATS)}, not {options.format!r}.", "format")
    if not 1 <= options.shard_rows <= MOST_SHARD_ROWS:
        raise InvalidInput(f"--shard-rows is {options.shard_rows}; it must be 1 to {MOST_SHARD_ROWS}.", "shard_rows")
    one, other = (place_at(uri, settings.s3_endpoint) for uri in (options.source, options.out))
    if f"{other.uri}/".startswith(f"{one.uri}/"):
        raise InvalidInput(
            f"{other.uri} lies inside the input {one.uri}, and a second run would score it: give another --out.", "out"
        )
    return ScoreJob(
        one,
        other,
        model.digest,
        options.text_column,
        options.encoding,
        f".{options.format}",
        options.shard_rows,
        options.delimiter,
        options.quoting,
    )


def _run(
    job: ScoreJob,
    model: ResolvedModel,
    settings: Settings,
    fleet: ActorPool,
    inputs: Sequence[InputFile],
    done: frozenset[str],
) -> Iterator[ShardResult]:
    import ray
    from ray.data import ActorPoolStrategy, DataContext

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # errors are raised here, in one sentence
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.target_max_block_size = _BLOCK_BYTES
    context.raise_original_map_exception = True  # otherwise Ray Data hides an actor's own error
    board = open_board()
    files = [{"number": file.number, "name": file.name} for file in inputs]
    cut = ray.data.from_items(files, override_num_blocks=len(files)).flat_map(cutter(job, done), num_cpus=_READER_CPUS)
    scored = cut.map_batches(
        ShardScorer,
        fn_constructor_args=(model, settings, job, fleet.threads, "cuda" if fleet.gpus else "cpu", board),
        batch_size=1,
        compute=ActorPoolStrategy(min_size=fleet.least, max_size=fleet.most, max_tasks_in_flight_per_actor=_IN_FLIGHT),
        num_cpus=fleet.threads,
        num_gpus=fleet.gpus,
    )
    with _told_where(board):
        for row in scored.iter_rows():
            yield read_result(row["result"].encode())


@contextmanager
def _released() -> Iterator[None]:
    """Clear the frames of an error that leaves the block.

    Ray Data frees its actors' CPUs when nothing refers to the run any more. A caller that keeps the error would keep
    them busy, and a second scoring in the same session would wait for them.
    """
    try:
        yield
    except BaseException as exc:
        error: BaseException | None = exc
        while error is not None:
            traceback.clear_frames(error.__traceback__)
            error = error.__cause__ or error.__context__
        raise


@contextmanager
def _told_where(board: Any) -> Iterator[None]:
    """Raise the project's own error of a failed task instead of Ray's wrapper, or else say which rows failed."""
    try:
        yield
    except Exception as exc:  # Ray's wrapper of an error of ours is an instance of both
        own = own_error(exc)
        if own is exc:
            raise
        if own:
            raise own from exc
        rows = rows_under_way(board)
        where = f" at {listed(rows[:_MOST_NAMED])}" if rows else ""
        raise Unavailable(
            f"scoring stopped{where}: {death_in(str(exc))}. Completed shards are kept: the same command continues"
        ) from exc


def _log(totals: Totals) -> None:
    _LOG.info("%d shards, %d rows, %d of them rejected", totals.shards, totals.rows, totals.rejected)
