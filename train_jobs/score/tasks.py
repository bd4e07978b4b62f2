"""Runs on the cluster's nodes: a task that cuts a file into shards, and an actor that scores and writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from sentiment.client.bulk import Verdict
from sentiment.errors import Unavailable, UndertoneError
from sentiment.predictor import Predictor
from sentiment.priority import give_way
from sentiment.registry import ResolvedModel, fetch_version
from sentiment.settings import Settings
from sentiment.tables import Row
from train_jobs.runtime.failures import DIED
from train_jobs.score import board as boards
from train_jobs.score.job import ScoreJob
from train_jobs.score.located import naming_rows, rows_named, unfit_rows
from train_jobs.score.shards import InputShard, ScoringRules, ShardResult, cut_file, score_rows, try_rows, write_shard

#: Attempts at a shard whose worker dies each time; Ray would try for ever.
_MOST_TRIES: Final = 4


def cutter(job: ScoreJob, done: frozenset[str]) -> Callable[[dict[str, Any]], Iterator[dict[str, InputShard]]]:
    """Return the function of a reading task: it yields the shards of a file that are not done, as rows of Ray Data."""

    def cut(file: dict[str, Any]) -> Iterator[dict[str, InputShard]]:
        source, row = file["name"] or job.source.uri, 0
        reading = (job.text_column, job.encoding, job.delimiter, job.quoting)
        with (
            naming_rows(lambda: f"{source} cannot be read after row {row}", source),
            job.source.local(file["name"]) as path,
        ):
            for shard in cut_file(path, source, file["number"], job.shard_rows, *reading):
                row = shard.rows[-1].number
                if shard.name not in done:
                    yield {"shard": shard}

    return cut


class ShardScorer:
    """An actor with a predictor that scores and writes one shard a call, and reports it to the `board`."""

    def __init__(
        self, model: ResolvedModel, settings: Settings, job: ScoreJob, threads: int, device: str, board: Any
    ) -> None:
        give_way()
        folder = model.folder
        if model.version is not None:  # another machine may have resolved it
            folder = fetch_version(settings, model.name, model.version, model.digest)
        self._predictor = Predictor.load(
            folder, threads=threads, device=device, identify_languages=settings.identify_languages
        )
        self._scoring = ScoringRules(job.text_column, settings.max_text_characters, model.version)
        self._job, self._board = job, board

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        """Score the shards in a batch of Ray Data; return their records as JSON."""
        return {"result": [self._noted(shard).to_json().decode() for shard in batch["shard"]]}

    def _noted(self, shard: InputShard) -> ShardResult:
        rows = rows_named(shard.source, shard.rows)
        if boards.begin(self._board, shard.name, rows) > _MOST_TRIES:
            raise Unavailable(
                f"scoring stopped at {rows}: {DIED}. Completed shards are kept: the same command continues"
            )
        with naming_rows(lambda: f"{rows} cannot be scored", shard.source):
            result = score_shard(shard, self._verdicts, self._job)
        boards.end(self._board, shard.name)
        return result

    def _verdicts(self, rows: Sequence[Row]) -> list[Verdict]:
        return score_rows(self._predictor, rows, self._scoring)


def score_shard(shard: InputShard, verdicts_of: Callable[[Sequence[Row]], list[Verdict]], job: ScoreJob) -> ShardResult:
    """Score and write a shard; single rows that fail are rejected with the reason.

    Raises: what scoring and writing raise if no single row is at fault.
    """
    try:
        return write_shard(shard, verdicts_of(shard.rows), job.out, job.ending)
    except (UndertoneError, OSError, MemoryError):
        raise
    except Exception:
        unfit = unfit_rows(shard.rows, lambda rows: try_rows(shard, rows, verdicts_of(rows), job.ending))
        if not unfit or len(unfit) == len(shard.rows) > 1:
            raise
        sound = iter(verdicts_of([row for row in shard.rows if row.number not in unfit]))
        verdicts = [
            Verdict(row.number, None, unfit[row.number]) if row.number in unfit else next(sound) for row in shard.rows
        ]
        return write_shard(shard, verdicts, job.out, job.ending)
