"""The store of dataset versions: immutable, content-addressed, in a folder or in S3."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sentiment.datasets.difference import Difference, compare
from sentiment.datasets.example import Example
from sentiment.datasets.reference import check_name, is_name, parse_reference
from sentiment.datasets.source.label_set import label_set_of
from sentiment.datasets.storage.draft import Draft, shard_key
from sentiment.datasets.storage.manifest import REMEDY, DatasetVersion, decode, encode
from sentiment.datasets.storage.objects import Objects
from sentiment.datasets.storage.pull import write_file, write_folder
from sentiment.datasets.storage.shards import decode_shard, sound
from sentiment.errors import Conflict, DatasetDamaged, DatasetsUnavailable, NotFound
from sentiment.tables import WRITTEN_ENDINGS

_MANIFEST = re.compile(r"[^/]+/versions/(\d{8})\.json")
_MOST_TRIES: Final = 100


def _now() -> datetime:
    return datetime.now(UTC)


class DatasetStore:
    """Dataset versions on top of `objects`. A version is there when its manifest is, and its manifest is written last.

    All methods raise DatasetsUnavailable, naming the store and the remedy, when it is away or full.
    """

    def __init__(self, objects: Objects, now: Callable[[], datetime] = _now) -> None:
        self._objects = objects
        self._now = now
        self.place = objects.place

    def push(
        self,
        name: str,
        examples: Iterable[Example],
        *,
        source: str,
        parent: str | None = None,
        labels: tuple[str, ...] | None = None,
    ) -> DatasetVersion:
        """Store `examples`, in their order, as the next version of `name`, and return it; memory stays constant.

        Pushed again with no row changed, the latest version is returned and nothing is added. `labels` names the label
        set where the examples do not show all of it.

        Raises:
            InvalidInput: no example, an empty text, an unknown label, one class only.
            NotFound: there is no version `parent`.
            Conflict: the versions of `name` have another label set.
        """
        if parent is not None:
            parent = self.find(parent).ref
        draft = self.draft(name)
        for example in examples:
            draft.add(example)
        return self.commit(draft, source=source, parent=parent, labels=labels)

    def draft(self, name: str) -> Draft:
        """Begin a version of `name`, to be filled and then committed.

        Raises:
            InvalidInput: `name` cannot name a dataset.
        """
        check_name(name)
        return Draft(self._objects, name)

    def commit(
        self, draft: Draft, *, source: str, parent: str | None = None, labels: tuple[str, ...] | None = None
    ) -> DatasetVersion:
        """Make a filled draft the next version of its dataset. Raises what `push` does."""
        label_set = label_set_of((label for label in draft.balance if label), labels)
        digest, shards = draft.finish()
        for _ in range(_MOST_TRIES):
            manifests = self._manifests(draft.name)
            latest = self._latest_whole(draft.name, manifests)
            _refuse_other_labels(latest, label_set)
            if latest and (latest.digest, latest.labels, latest.normalizer) == (digest, label_set, draft.normalizer):
                return latest
            version = DatasetVersion(
                name=draft.name,
                number=max(manifests, default=0) + 1,
                digest=digest,
                rows=draft.rows,
                balance={label: draft.balance[label] for label in (*label_set, "") if draft.balance[label]},
                labels=label_set,
                source=source,
                parent=parent,
                normalizer=draft.normalizer,
                created_at=self._now(),
                shards=shards,
            )
            if self._objects.create(_manifest_key(version.name, version.number), encode(version)):
                return version
        raise DatasetsUnavailable(
            f"{draft.name} in {self.place}: {_MOST_TRIES} other pushes came first each time. Try again."
        )

    def require_labels(self, name: str, labels: tuple[str, ...]) -> None:
        """Raise Conflict if the versions of `name` have another label set: `commit` would."""
        _refuse_other_labels(self._latest_whole(name, self._manifests(name)), labels)

    def names(self) -> list[str]:
        """Return the names of the datasets that have a version."""
        return [name for name in self._names() if self.versions(name)]

    def versions(self, name: str) -> list[DatasetVersion]:
        """Return the versions of `name` that are whole, oldest first. `damaged` tells of the others."""
        return self._look(name)[0]

    def damaged(self, name: str | None = None) -> list[str]:
        """Return what is wrong with the versions, of one name or of all, that are not whole: a sentence for each."""
        names = self._names() if name is None else [name]
        return [str(problem) for each in names for problem in self._look(each)[1]]

    def find(self, ref: str) -> DatasetVersion:
        """Return the version that `ref` names: `tweets@3`, `tweets@latest` or `tweets`.

        Raises:
            InvalidInput: `ref` is no reference.
            NotFound: there is no such version; the message lists those that there are.
            DatasetDamaged: it is not whole; for the latest, this is never passed over in silence for an older one.
        """
        name, number = parse_reference(ref)
        manifests = self._manifests(name)
        requested = number or max(manifests, default=0)
        if requested not in manifests:
            raise NotFound(self._nothing_there(ref, name, sorted(manifests)))
        return self._load(name, requested, manifests[requested], self._shard_sizes(name))

    def read(self, version: DatasetVersion | str) -> Iterator[Example]:
        """Yield the examples of a version in their order; at most one shard is in memory.

        Raises:
            DatasetDamaged: a shard is missing or does not match its digest; before any of its rows is yielded.
        """
        dataset = self.find(version) if isinstance(version, str) else version
        for data in self._sound_shards(dataset):
            yield from decode_shard(data)

    def shards(self, version: DatasetVersion | str) -> list[str]:
        """Return where the version's Parquet files are, in order: paths, or s3:// addresses."""
        dataset = self.find(version) if isinstance(version, str) else version
        return [self._objects.address(shard_key(dataset.name, shard)) for shard in dataset.shards]

    def pull(self, ref: str, out: Path) -> Path:
        """Copy a version to `out` and return that: a file if it ends as a table does (.csv, .jsonl …), else a folder.

        A folder gets the Parquet files and the manifest. It appears whole or not at all.

        Raises:
            NotFound, DatasetDamaged: as `find` and `read`.
            Conflict: the folder exists and is not this version.
            InvalidInput: it cannot be written there.
        """
        version = self.find(ref)
        if out.suffix.lower() in WRITTEN_ENDINGS:
            return write_file(self.read(version), out)
        return write_folder(version, self._sound_shards(version), out)

    def diff(self, before: str, after: str) -> Difference:
        """Tell what changed from the version `before` to `after`. Raises what `find` and `read` do."""
        old, new = self.find(before), self.find(after)
        return compare(lambda: self.read(old), lambda: self.read(new))

    def _sound_shards(self, version: DatasetVersion) -> Iterator[bytes]:
        for place, shard in enumerate(version.shards, 1):
            key = shard_key(version.name, shard)
            where = f"{version.ref} is damaged: shard {place} ({self._objects.address(key)})"
            yield sound(self._objects.read(key), shard, where)

    def _look(self, name: str) -> tuple[list[DatasetVersion], list[DatasetDamaged]]:
        check_name(name)
        manifests = self._manifests(name)
        sizes = self._shard_sizes(name) if manifests else {}
        versions, damaged = [], []
        for number, key in sorted(manifests.items()):
            try:
                versions.append(self._load(name, number, key, sizes))
            except DatasetDamaged as exc:
                damaged.append(exc)
        return versions, damaged

    def _latest_whole(self, name: str, manifests: dict[int, str]) -> DatasetVersion | None:
        sizes = self._shard_sizes(name) if manifests else {}
        for number in sorted(manifests, reverse=True):
            with contextlib.suppress(DatasetDamaged):
                return self._load(name, number, manifests[number], sizes)
        return None

    def _load(self, name: str, number: int, key: str, sizes: Mapping[str, int]) -> DatasetVersion:
        version = decode(self._objects.read(key) or b"", name, number)
        _check_shards(version, sizes)
        return version

    def _names(self) -> list[str]:
        return [name for name in self._objects.folders() if is_name(name)]

    def _shard_sizes(self, name: str) -> dict[str, int]:
        return self._objects.sizes(f"{name}/shards/")

    def _manifests(self, name: str) -> dict[int, str]:
        keys = self._objects.sizes(f"{name}/versions/")
        return {int(match[1]): key for key in keys if (match := _MANIFEST.fullmatch(key))}

    def _nothing_there(self, ref: str, name: str, numbers: list[int]) -> str:
        if numbers:
            return f"There is no {ref} in {self.place}; {name} has the versions {', '.join(map(str, numbers))}."
        there = ", ".join(self.names()) or "none yet"
        return f"There is no dataset {name} in {self.place}. There are: {there}. `undertone data push` makes one."


def _manifest_key(name: str, number: int) -> str:
    return f"{name}/versions/{number:08d}.json"


def _check_shards(version: DatasetVersion, sizes: Mapping[str, int]) -> None:
    for place, shard in enumerate(version.shards, 1):
        size = sizes.get(shard_key(version.name, shard))
        if size is None:
            raise DatasetDamaged(f"{version.ref} is damaged: shard {place} is missing ({shard.sha256}). {REMEDY}")
        if size != shard.bytes:
            raise DatasetDamaged(
                f"{version.ref} is damaged: shard {place} ({shard.sha256}) has {size} bytes instead of {shard.bytes}. "
                f"{REMEDY}"
            )


def _refuse_other_labels(latest: DatasetVersion | None, labels: tuple[str, ...]) -> None:
    if latest and latest.labels != labels:
        old, new = (", ".join(each) or "no labels" for each in (latest.labels, labels))
        raise Conflict(
            f"{latest.ref} has {old}; these examples have {new}. Versions of one dataset share a label set: "
            "push under another name, or name the label set with --labels."
        )
