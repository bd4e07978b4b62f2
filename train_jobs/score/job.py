"""A bulk scoring job: its options, its progress on disk, and how a second run of the same job continues it."""

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

#: Parts that identities written by earlier releases lack, with the values that these used.
_DEFAULTS: Final = {"delimiter": None, "quoting": AUTO}
#: Each part of a job's identity as messages name it.
_OPTION_NAMES: Final = {
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
    """What is scored, how, and where the results go."""

    source: Location
    out: Location
    model: str
    """Digest of the model version."""
    text_column: str = "text"
    encoding: str = "utf-8"
    ending: str = ".parquet"
    shard_rows: int = 2000
    """Most rows of a shard."""
    delimiter: str = AUTO
    quoting: str = AUTO

    def identity(self, inputs: Sequence[InputFile]) -> dict[str, Any]:
        """Return everything that determines the outputs: a run continues another only if these are equal."""
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
    """Sums over shards."""

    shards: int = 0
    rows: int = 0
    rejected: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    sentiment_sum: float = 0.0
    unsupported: int = 0
    renamed: dict[str, str] = field(default_factory=dict)
    """Added columns whose names some input files had already, each with the name that it got instead."""

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
        """Return the totals as plain values for JSON."""
        return {**asdict(self), "labels": dict(self.labels), "mean_sentiment": self.mean_sentiment}


@dataclass(frozen=True)
class ScoringResult:
    """What a run of a scoring job did."""

    out: str
    totals: Totals
    """Of all runs of this job together."""
    resumed_shards: int = 0  #: completed by earlier runs
    was_finished: bool = False
    changed: tuple[str, ...] = ()  #: input files that changed since an earlier run and were scored again

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Self:
        """Return the result that `plain` wrote."""
        counts = {part.name: plain[part.name] for part in fields(Totals)}
        totals = Totals(**{**counts, "labels": Counter(plain["labels"])})
        return cls(plain["out"], totals, plain["resumed_shards"], plain["was_finished"], tuple(plain["changed"]))

    def plain(self) -> dict[str, Any]:
        """Return the result as plain values for JSON."""
        return {
            "out": self.out,
            **self.totals.plain(),
            "resumed_shards": self.resumed_shards,
            "was_finished": self.was_finished,
            "changed": list(self.changed),
        }


@dataclass(frozen=True)
class OpenedJob:
    """A job that is ready to run: its numbered files, completed shards by name, and files that changed since."""

    inputs: Sequence[InputFile]
    done: dict[str, ShardResult]
    changed: tuple[str, ...] = ()


def open_job(job: ScoreJob, inputs: Sequence[InputFile], overwrite: bool) -> OpenedJob:
    """Claim the output folder for this job and return what is done there.

    An interrupted run is continued: unchanged files keep their shards; a changed file loses its shards and is scored
    again. A folder that another job claimed without writing any result is claimed anew.

    Raises:
        InvalidInput: the folder holds results of another input, model or option, or foreign files.
    """
    if overwrite:
        clear(job.out)
    content = job.out.read(_JOB)
    if content is None:
        _refuse_foreign(job.out)
        return _claimed(job, inputs)
    stored = json.loads(content)
    differing = _differing(stored, job.identity(inputs))
    if not differing:
        files = _files_of(stored)  # with the numbers that their shards have
        return OpenedJob(files, done_shards(job.out, files))
    if not _is_begun(job.out):
        return _claimed(job, inputs)
    if differing != [_INPUTS] or job.out.read(MANIFEST) is not None:
        _refuse(job, ", ".join(_OPTION_NAMES[name] for name in differing))
    return _continued(job, _files_of(stored), inputs)


def _claimed(job: ScoreJob, inputs: Sequence[InputFile]) -> OpenedJob:
    job.out.write(_JOB, _content(job.identity(inputs)))
    return OpenedJob(inputs, {})


def _continued(job: ScoreJob, stored: Sequence[InputFile], inputs: Sequence[InputFile]) -> OpenedJob:
    """Continue a job whose input files changed: the shards of changed files no longer count."""
    by_name = {file.name: file for file in stored}
    missing = by_name.keys() - {file.name for file in inputs}
    lost = [name for name in sorted(missing) if _is_scored(job.out, by_name[name])]
    if lost:
        _refuse(job, f"{_OPTION_NAMES[_INPUTS]} ({lost[0]} was scored and is now missing: put it back)")
    numbered = _numbered(stored, inputs)
    job.out.write(_JOB, _content(job.identity(numbered)))
    sweep_strangers(job.out, numbered)
    changed = tuple(file.name for file in inputs if file.name in by_name and not file.is_as(by_name[file.name]))
    return OpenedJob(numbered, done_shards(job.out, numbered), changed)


def _numbered(stored: Sequence[InputFile], inputs: Sequence[InputFile]) -> list[InputFile]:
    """Return the files with their numbers: unchanged files keep theirs, the others get numbers never used before."""
    by_name = {file.name: file for file in stored}
    fresh = itertools.count(max((file.number for file in stored), default=-1) + 1)
    return [
        by_name[file.name]
        if file.name in by_name and file.is_as(by_name[file.name])
        else replace(file, number=next(fresh))
        for file in inputs
    ]


def sweep_strangers(out: Location, inputs: Sequence[InputFile]) -> None:
    """Delete the shards of files that are no longer among the inputs; their records first."""
    numbers = {file.number for file in inputs}
    for folder in (DONE, SCORED, REJECTED):
        for name in out.names(folder):
            if file_number_of(name) not in numbers:
                out.remove(f"{folder}/{name}")


def done_shards(out: Location, inputs: Sequence[InputFile]) -> dict[str, ShardResult]:
    """Return the completed shards of the input files, by name.

    Raises:
        InvalidInput: the record of a shard cannot be read.
    """
    results, numbers = {}, {file.number for file in inputs}
    for name in out.names(DONE):
        if file_number_of(name) not in numbers:
            continue
        content = out.read(f"{DONE}/{name}") or b""
        try:
            result = read_result(content)
        except (ValueError, TypeError) as exc:
            remedy = "delete it, and the next run scores its shard again"
            raise InvalidInput(f"{out.uri}/{DONE}/{name} is damaged ({exc}): {remedy}") from exc
        results[result.name] = result
    return results


def finish(job: ScoreJob, model: str, inputs: Sequence[InputFile]) -> Totals:
    """Write the manifest of all shards, as read back from their records; delete drafts; return the totals."""
    sweep_strangers(job.out, inputs)
    for folder in (SCORED, REJECTED, DONE):
        job.out.sweep(folder)
    results = list(done_shards(job.out, inputs).values())
    totals = Totals.of(results)
    manifest = {"model": model, **totals.plain(), "shards": [asdict(result) for result in results]}
    job.out.write(MANIFEST, json.dumps(manifest, indent=2).encode() + b"\n")
    return totals


def clear(out: Location) -> None:
    """Delete what a run wrote; the records first, so that an interruption leaves nothing that counts as done."""
    for name in (MANIFEST, DONE, _JOB, SCORED, REJECTED):
        out.remove(name)


def _refuse_foreign(out: Location) -> None:
    there = [*out.names(""), *out.names(SCORED)]
    if there:
        raise InvalidInput(
            f"{out.uri} holds {there[0]!r}, which this command did not write: give another --out, or --overwrite.",
            "out",
        )


def _content(identity: dict[str, Any]) -> bytes:
    return json.dumps(identity, indent=2).encode() + b"\n"


def _is_begun(out: Location) -> bool:
    """Return whether anything was written since the folder was claimed."""
    return any(out.names(folder) for folder in (SCORED, REJECTED, DONE)) or out.read(MANIFEST) is not None


def _differing(stored: dict[str, Any], requested: dict[str, Any]) -> list[str]:
    """Return the parts in which two identities differ; files are compared without their numbers."""

    def plain(name: str, identity: dict[str, Any]) -> Any:
        return [replace(file, number=0) for file in _files_of(identity)] if name == _INPUTS else _value(name, identity)

    return [name for name in requested if plain(name, stored) != plain(name, requested)]


def _value(name: str, identity: dict[str, Any]) -> Any:
    return identity.get(name, _DEFAULTS.get(name))


def _files_of(identity: dict[str, Any]) -> list[InputFile]:
    """Return the files of an identity; where an earlier release stored no numbers, their order numbers them."""
    return [InputFile(**{"number": place, **entry}) for place, entry in enumerate(identity.get(_INPUTS) or [])]


def _is_scored(out: Location, file: InputFile) -> bool:
    return any(file_number_of(name) == file.number for name in out.names(DONE))


def _refuse(job: ScoreJob, differing: str) -> NoReturn:
    raise InvalidInput(
        f"{job.out.uri} holds the scores of another run, which differs in {differing}. Give another --out, or "
        "--overwrite to replace them.",
        "out",
    )
