"""What a bulk scoring is told, what it has done, and how a second run of the same one continues."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, Self

from sentiment.errors import InvalidInput
from train_jobs.scoring.places import InputFile, Place
from train_jobs.scoring.shards import DONE, REJECTED, SCORED, ShardResult, read_result

Format = Literal["parquet", "jsonl", "csv"]

MANIFEST: Final = "manifest.json"
_JOB: Final = "job.json"

#: What a user calls each part of a job's identity.
_CALLED: Final = {
    "source": "the input",
    "inputs": "the input's files",
    "model_digest": "--model",
    "text_column": "--text-column",
    "encoding": "--encoding",
    "ending": "--format",
    "shard_rows": "--shard-rows",
}


@dataclass(frozen=True)
class ScoreJob:
    """What is scored, how, and where to. `model` is the version's digest, `shard_rows` the most rows of a shard."""

    source: Place
    out: Place
    model: str
    text_column: str = "text"
    encoding: str = "utf-8"
    ending: str = ".parquet"
    shard_rows: int = 2000

    def identity(self, inputs: Sequence[InputFile]) -> dict[str, Any]:
        """Return what must be equal for a run to continue another's: the outputs would be the same."""
        return {
            "source": self.source.uri,
            "inputs": [asdict(file) for file in inputs],
            "model_digest": self.model,
            "text_column": self.text_column,
            "encoding": self.encoding,
            "ending": self.ending,
            "shard_rows": self.shard_rows,
        }


@dataclass
class Totals:
    """Sums over shards."""

    shards: int = 0
    rows: int = 0
    rejected: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    sentiment_sum: float = 0.0

    @classmethod
    def of(cls, results: Iterable[ShardResult]) -> Self:
        """Add up shards."""
        totals = cls()
        for result in results:
            totals.add(result)
        return totals

    def add(self, result: ShardResult) -> None:
        """Count one shard."""
        self.shards += 1
        self.rows += result.rows
        self.rejected += result.rejected
        self.labels.update(result.labels)
        self.sentiment_sum += result.sentiment_sum

    @property
    def mean_sentiment(self) -> float:
        """Mean sentiment of the scored rows, in [−1, 1]; 0 if there are none."""
        return self.sentiment_sum / max(self.rows - self.rejected, 1)

    def plain(self) -> dict[str, Any]:
        """Return the totals for JSON."""
        return {**asdict(self), "labels": dict(self.labels), "mean_sentiment": self.mean_sentiment}


@dataclass(frozen=True)
class Outcome:
    """What a run came to: totals of all runs of this job together, and how many shards earlier runs had done."""

    out: str
    totals: Totals
    resumed_shards: int = 0
    was_finished: bool = False

    def plain(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "out": self.out,
            **self.totals.plain(),
            "resumed_shards": self.resumed_shards,
            "was_finished": self.was_finished,
        }


def open_job(job: ScoreJob, inputs: Sequence[InputFile], overwrite: bool) -> dict[str, ShardResult]:
    """Claim the output's place and return the shards that are done there, by name.

    A place that another job claimed and put nothing into, as one with a misspelled column does, is taken anew.

    Raises:
        InvalidInput: the place holds the result of another input, model or option, or something else altogether.
    """
    if overwrite:
        clear(job.out)
    identity = job.identity(inputs)
    found = job.out.read(_JOB)
    if found is None:
        _refuse_foreign(job.out)
        job.out.write(_JOB, _content(identity))
        return {}
    differing = _differing(json.loads(found), identity)
    if not differing:
        return done_shards(job.out)
    if _is_begun(job.out):
        raise InvalidInput(
            f"{job.out.uri} holds the scores of another run, which differs in {differing}. Give another --out, or "
            "--overwrite.",
            "out",
        )
    job.out.write(_JOB, _content(identity))
    return {}


def done_shards(out: Place) -> dict[str, ShardResult]:
    """Return the shards whose output is complete, by name.

    Raises:
        InvalidInput: a record cannot be read.
    """
    results = {}
    for name in out.names(DONE):
        content = out.read(f"{DONE}/{name}") or b""
        try:
            result = read_result(content)
        except (ValueError, TypeError) as exc:
            raise InvalidInput(f"{out.uri}/{DONE}/{name} is damaged ({exc}); delete it, its shard is redone") from exc
        results[result.name] = result
    return results


def finish(job: ScoreJob, model: str) -> Totals:
    """Write the manifest of all shards, read back from their records, and return the totals; sweep drafts away."""
    for folder in (SCORED, REJECTED, DONE):
        job.out.sweep(folder)
    results = list(done_shards(job.out).values())
    totals = Totals.of(results)
    manifest = {"model": model, **totals.plain(), "shards": [asdict(result) for result in results]}
    job.out.write(MANIFEST, json.dumps(manifest, indent=2).encode() + b"\n")
    return totals


def clear(out: Place) -> None:
    """Delete what a run wrote; the records first, so that a cut leaves nothing that counts as done."""
    for name in (MANIFEST, DONE, _JOB, SCORED, REJECTED):
        out.remove(name)


def _refuse_foreign(out: Place) -> None:
    there = [*out.names(""), *out.names(SCORED)]
    if there:
        raise InvalidInput(
            f"{out.uri} holds {there[0]!r} and no scores of this command; give another --out, or --overwrite.", "out"
        )


def _content(identity: dict[str, Any]) -> bytes:
    return json.dumps(identity, indent=2).encode() + b"\n"


def _is_begun(out: Place) -> bool:
    """Return whether anything was written since the place was claimed."""
    return any(out.names(folder) for folder in (SCORED, REJECTED, DONE)) or out.read(MANIFEST) is not None


def _differing(found: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Return in a user's words what is not the same in two identities; empty if all is."""
    return ", ".join(_CALLED[name] for name, value in wanted.items() if found.get(name) != value)
