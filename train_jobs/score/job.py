"""What a bulk scoring is told, what it has done, and how a second run of the same one continues."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final, Literal, NoReturn, Self

from sentiment.errors import InvalidInput
from sentiment.tables import AUTO, delimiter_of
from train_jobs.runtime.locations import InputFile, Location
from train_jobs.score.shards import DONE, REJECTED, SCORED, ShardResult, file_number_of, read_result

Format = Literal["parquet", "jsonl", "csv"]

MANIFEST: Final = "manifest.json"
_JOB: Final = "job.json"
_INPUTS: Final = "inputs"

#: What an identity of an earlier version of this code does not say.
_UNTOLD: Final = {"delimiter": None, "quoting": AUTO}
#: What a user calls each part of a job's identity.
_CALLED: Final = {
    "source": "the input",
    "inputs": "the input's files",
    "model_digest": "--model",
    "text_column": "--text-column",
    "encoding": "--encoding",
    "ending": "--format",
    "shard_rows": "--shard-rows",
    "delimiter": "--delimiter",
    "quoting": "--quoting",
}


@dataclass(frozen=True)
class ScoreJob:
    """What is scored, how, and where to. `model` is the version's digest, `shard_rows` the most rows of a shard."""

    source: Location
    out: Location
    model: str
    text_column: str = "text"
    encoding: str = "utf-8"
    ending: str = ".parquet"
    shard_rows: int = 2000
    delimiter: str = AUTO
    quoting: str = AUTO

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
            "delimiter": delimiter_of(self.delimiter),
            "quoting": self.quoting,
        }


@dataclass
class Totals:
    """Sums over shards; `renamed` has what some files' added columns are called, by which ones they are."""

    shards: int = 0
    rows: int = 0
    rejected: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    sentiment_sum: float = 0.0
    unsupported: int = 0
    renamed: dict[str, str] = field(default_factory=dict)

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
        self.unsupported += result.unsupported
        self.renamed |= result.renamed

    @property
    def mean_sentiment(self) -> float:
        """Mean sentiment of the scored rows, in [−1, 1]; 0 if there are none."""
        return self.sentiment_sum / max(self.rows - self.rejected, 1)

    def plain(self) -> dict[str, Any]:
        """Return the totals for JSON."""
        return {**asdict(self), "labels": dict(self.labels), "mean_sentiment": self.mean_sentiment}


@dataclass(frozen=True)
class ScoringResult:
    """What a run came to: totals of all runs of this job together, and how many shards earlier runs had done.

    `changed` names the files that are others than an earlier run saw, and were scored anew.
    """

    out: str
    totals: Totals
    resumed_shards: int = 0
    was_finished: bool = False
    changed: tuple[str, ...] = ()

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Self:
        """Return the outcome that `plain` was made of."""
        known = {part.name: plain[part.name] for part in fields(Totals)}
        totals = Totals(**{**known, "labels": Counter(plain["labels"])})
        return cls(plain["out"], totals, plain["resumed_shards"], plain["was_finished"], tuple(plain["changed"]))

    def plain(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "out": self.out,
            **self.totals.plain(),
            "resumed_shards": self.resumed_shards,
            "was_finished": self.was_finished,
            "changed": list(self.changed),
        }


@dataclass(frozen=True)
class Opened:
    """A job that can begin: its files by their numbers, the shards that are done, the files that changed meanwhile."""

    inputs: Sequence[InputFile]
    done: dict[str, ShardResult]
    changed: tuple[str, ...] = ()


def open_job(job: ScoreJob, inputs: Sequence[InputFile], overwrite: bool) -> Opened:
    """Claim the output's place, and return what is done there.

    A run that was cut off is continued: files that are as they were keep their shards, one that has changed since is
    scored anew, its old shards go. A place that another job claimed and put nothing into is taken anew.

    Raises:
        InvalidInput: the place holds the result of another input, model or option, or something else altogether.
    """
    if overwrite:
        clear(job.out)
    found = job.out.read(_JOB)
    if found is None:
        _refuse_foreign(job.out)
        return _claimed(job, inputs)
    known = json.loads(found)
    differing = _differing(known, job.identity(inputs))
    if not differing:
        files = _files_of(known)  # with the numbers that their shards have
        return Opened(files, done_shards(job.out, files))
    if not _is_begun(job.out):
        return _claimed(job, inputs)
    if differing != [_INPUTS] or job.out.read(MANIFEST) is not None:
        _refuse(job, ", ".join(_CALLED[name] for name in differing))
    return _continued(job, _files_of(known), inputs)


def _claimed(job: ScoreJob, inputs: Sequence[InputFile]) -> Opened:
    job.out.write(_JOB, _content(job.identity(inputs)))
    return Opened(inputs, {})


def _continued(job: ScoreJob, known: Sequence[InputFile], inputs: Sequence[InputFile]) -> Opened:
    """Take up a job some of whose files are others now; a new list of files makes old shards count no more."""
    by_name = {file.name: file for file in known}
    gone = by_name.keys() - {file.name for file in inputs}
    lost = [name for name in sorted(gone) if _is_scored(job.out, by_name[name])]
    if lost:
        _refuse(job, f"{_CALLED[_INPUTS]} ({lost[0]} is gone, and its scores are there: put it back)")
    numbered = _numbered(known, inputs)
    job.out.write(_JOB, _content(job.identity(numbered)))
    sweep_strangers(job.out, numbered)
    changed = tuple(file.name for file in inputs if file.name in by_name and not file.is_as(by_name[file.name]))
    return Opened(numbered, done_shards(job.out, numbered), changed)


def _numbered(known: Sequence[InputFile], inputs: Sequence[InputFile]) -> list[InputFile]:
    """Return the files with their numbers: those that are as they were keep theirs, others get ones never used."""
    kept = {file.name: file for file in known}
    fresh = itertools.count(max((file.number for file in known), default=-1) + 1)
    return [
        kept[file.name] if file.name in kept and file.is_as(kept[file.name]) else replace(file, number=next(fresh))
        for file in inputs
    ]


def sweep_strangers(out: Location, inputs: Sequence[InputFile]) -> None:
    """Delete what is left of files that are not among the inputs as they are now; the records first."""
    numbers = {file.number for file in inputs}
    for folder in (DONE, SCORED, REJECTED):
        for name in out.names(folder):
            if file_number_of(name) not in numbers:
                out.remove(f"{folder}/{name}")


def done_shards(out: Location, inputs: Sequence[InputFile]) -> dict[str, ShardResult]:
    """Return the shards of the input's files whose output is complete, by name.

    Raises:
        InvalidInput: a record cannot be read.
    """
    results, numbers = {}, {file.number for file in inputs}
    for name in out.names(DONE):
        if file_number_of(name) not in numbers:
            continue
        content = out.read(f"{DONE}/{name}") or b""
        try:
            result = read_result(content)
        except (ValueError, TypeError) as exc:
            raise InvalidInput(f"{out.uri}/{DONE}/{name} is damaged ({exc}); delete it, its shard is redone") from exc
        results[result.name] = result
    return results


def finish(job: ScoreJob, model: str, inputs: Sequence[InputFile]) -> Totals:
    """Write the manifest of all shards, read back from their records, and return the totals; sweep drafts away."""
    sweep_strangers(job.out, inputs)
    for folder in (SCORED, REJECTED, DONE):
        job.out.sweep(folder)
    results = list(done_shards(job.out, inputs).values())
    totals = Totals.of(results)
    manifest = {"model": model, **totals.plain(), "shards": [asdict(result) for result in results]}
    job.out.write(MANIFEST, json.dumps(manifest, indent=2).encode() + b"\n")
    return totals


def clear(out: Location) -> None:
    """Delete what a run wrote; the records first, so that a cut leaves nothing that counts as done."""
    for name in (MANIFEST, DONE, _JOB, SCORED, REJECTED):
        out.remove(name)


def _refuse_foreign(out: Location) -> None:
    there = [*out.names(""), *out.names(SCORED)]
    if there:
        raise InvalidInput(
            f"{out.uri} holds {there[0]!r} and no scores of this command; give another --out, or --overwrite.", "out"
        )


def _content(identity: dict[str, Any]) -> bytes:
    return json.dumps(identity, indent=2).encode() + b"\n"


def _is_begun(out: Location) -> bool:
    """Return whether anything was written since the place was claimed."""
    return any(out.names(folder) for folder in (SCORED, REJECTED, DONE)) or out.read(MANIFEST) is not None


def _differing(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Return which parts are not the same in two identities; files are compared without their numbers."""

    def plain(name: str, identity: dict[str, Any]) -> Any:
        return [replace(file, number=0) for file in _files_of(identity)] if name == _INPUTS else _value(name, identity)

    return [name for name in wanted if plain(name, found) != plain(name, wanted)]


def _value(name: str, identity: dict[str, Any]) -> Any:
    return identity.get(name, _UNTOLD.get(name))


def _files_of(identity: dict[str, Any]) -> list[InputFile]:
    """Return the files of an identity; one of an earlier version of this code numbers them by their places."""
    return [InputFile(**{"number": place, **entry}) for place, entry in enumerate(identity.get(_INPUTS) or [])]


def _is_scored(out: Location, file: InputFile) -> bool:
    return any(file_number_of(name) == file.number for name in out.names(DONE))


def _refuse(job: ScoreJob, differing: str) -> NoReturn:
    raise InvalidInput(
        f"{job.out.uri} holds the scores of another run, which differs in {differing}. Give another --out, or "
        "--overwrite.",
        "out",
    )
