"""A dataset version's manifest: what it holds, where it came from, and a checksum that vouches for all of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from sentiment.errors import DatasetDamaged
from sentiment.validation_messages import in_words

FORMAT: Final = 1
#: The columns of every shard, in order. `label` is null where an example has none.
SCHEMA: Final = {"text": "string", "label": "string", "source": "string", "language": "string"}

_SHA256: Final = r"^[0-9a-f]{64}$"
_RULES: Final = {_SHA256: "must be a SHA-256 in 64 digits, 0 to 9 and a to f"}
_Digest = Annotated[str, Field(pattern=_SHA256)]


@dataclass(frozen=True, slots=True)
class Shard:
    """One immutable Parquet file, named by the SHA-256 (hex) of its bytes."""

    sha256: str
    bytes: int
    rows: int


@dataclass(frozen=True)
class DatasetVersion:
    """An immutable version of a dataset.

    `digest` is the SHA-256 (hex) of its rows in order, whatever files hold them. `balance` counts rows by label, the
    unlabelled under "". `labels` stand in the order of the label set; there are none if all rows are unlabelled.
    `parent` is the reference of the version that this one was made from; `normalizer` names the version of
    `sentiment.text` that its texts went through.
    """

    name: str
    number: int
    digest: str
    rows: int
    balance: Mapping[str, int]
    labels: tuple[str, ...]
    source: str
    parent: str | None
    normalizer: str
    created_at: datetime
    shards: tuple[Shard, ...] = field(repr=False)

    @property
    def ref(self) -> str:
        """The name under which commands and runs know it: `tweets@3`."""
        return f"{self.name}@{self.number}"

    def to_json(self) -> dict[str, Any]:
        """Return what the manifest says, without its checksum."""
        values = asdict(self) | {"created_at": self.created_at.isoformat()}
        return {"format": FORMAT, "schema": SCHEMA, **values}


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Shard(_Data):
    sha256: _Digest
    bytes: int = Field(ge=0)
    rows: int = Field(ge=1)


class _Manifest(_Data):
    format: Literal[1]
    columns: dict[str, str] = Field(alias="schema")
    name: str
    number: int = Field(ge=1)
    digest: _Digest
    rows: int = Field(ge=1)
    balance: dict[str, int]
    labels: tuple[str, ...]
    source: str
    parent: str | None
    normalizer: str
    created_at: AwareDatetime
    shards: tuple[_Shard, ...] = Field(min_length=1)
    checksum: _Digest


def encode(version: DatasetVersion) -> bytes:
    """Return the manifest of `version` as JSON in UTF-8."""
    values = version.to_json()
    return json.dumps(values | {"checksum": _checksum(values)}, indent=1, ensure_ascii=False).encode() + b"\n"


def decode(data: bytes, name: str, number: int) -> DatasetVersion:
    """Read the manifest that stands where that of version `number` of `name` belongs.

    Raises:
        DatasetDamaged: it is cut off, altered, or another version's.
    """
    ref = f"{name}@{number}"
    try:
        values = json.loads(data)
        manifest = _Manifest.model_validate(values)
    except ValidationError as exc:
        problem = exc.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"])) or "all of it"
        fields = [field.alias or name for name, field in _Manifest.model_fields.items()]
        reason = in_words(problem, permitted=", ".join(fields) if len(problem["loc"]) == 1 else "", rules=_RULES)
        raise DatasetDamaged(f"{ref} is damaged: its manifest's {where}: {reason}. {REMEDY}") from exc
    except ValueError as exc:
        raise DatasetDamaged(f"{ref} is damaged: its manifest is truncated or not JSON ({exc}). {REMEDY}") from exc
    if _checksum({key: value for key, value in values.items() if key != "checksum"}) != manifest.checksum:
        raise DatasetDamaged(f"{ref} is damaged: its manifest was altered: the checksum does not match. {REMEDY}")
    if (manifest.name, manifest.number) != (name, number):
        raise DatasetDamaged(f"{ref} is damaged: the manifest is that of {manifest.name}@{manifest.number}. {REMEDY}")
    return _version_of(manifest)


REMEDY: Final = "Restore its files from a copy, or push the data again as a new version."


def _version_of(manifest: _Manifest) -> DatasetVersion:
    values = manifest.model_dump(exclude={"format", "columns", "checksum", "shards"})
    return DatasetVersion(**values, shards=tuple(Shard(**shard.model_dump()) for shard in manifest.shards))


def _checksum(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
