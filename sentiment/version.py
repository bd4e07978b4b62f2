"""A model version: a folder of a few allowed data files, and a manifest with the digest of each of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from sentiment.errors import ModelRejected
from sentiment.labels import LABEL_SETS
from sentiment.language import languages_problem
from sentiment.text import NORMALIZERS
from sentiment.text.steps import steps_problem
from sentiment.validation_messages import in_words, listed

MANIFEST: Final = "manifest.json"
TOKENIZER: Final = "tokenizer.json"
CONFIG: Final = "config.json"
CARD: Final = "README.md"
FORMAT: Final = 1
#: In tokens, [CLS] and [SEP] included.
SHORTEST_WINDOW_TOKENS: Final = 8

EngineName = Literal["onnx-int8", "onnx", "torch"]

#: The file that each engine runs. No other names may be in a version, so none can lead out of its folder.
ENGINE_FILES: Final[Mapping[EngineName, str]] = MappingProxyType(
    {"onnx-int8": "model.int8.onnx", "onnx": "model.onnx", "torch": "model.safetensors"}
)
ALLOWED_FILES: Final = frozenset({TOKENIZER, CONFIG, CARD, *ENGINE_FILES.values()})

_LARGEST_MANIFEST_BYTES: Final = 1 << 20
_CHUNK_BYTES: Final = 1 << 20
_REMEDY: Final = "copy the version again, or make a new one with `python -m train_jobs.shipped_model.default_model`"

_SHA256: Final = r"^[0-9a-f]{64}$"
_RULES: Final = {_SHA256: "must be a SHA-256 in 64 digits, 0 to 9 and a to f"}
_Probability = Annotated[float, Field(ge=0.0, le=1.0)]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileFact(_Data):
    """What a file must be: its SHA-256 in hex, and its size."""

    sha256: str = Field(pattern=_SHA256)
    bytes: int = Field(ge=0)


class SelfCheck(_Data):
    """A normalised text and its recorded probabilities, one for each label, when classified alone.

    `probabilities` are those of the int8 engine, `full` those of full precision: quantised weights may differ on texts
    unlike the training's. Without an int8 engine both are equal.
    """

    text: str
    probabilities: tuple[_Probability, ...]
    full: tuple[_Probability, ...] | None = None


class Manifest(_Data):
    """The content of a version and how to run it; stored as `manifest.json`."""

    format: Literal[1] = FORMAT
    name: str
    labels: tuple[str, ...]
    engines: dict[EngineName, str] = Field(min_length=1)
    files: dict[str, FileFact]
    """Every file but the manifest."""
    normalizer: str
    steps: tuple[str, ...] = ()
    """Steps that a normalised text goes through before it is tokenised."""
    languages: tuple[str, ...] = ()
    """ISO 639 codes of the languages that the version reads; empty for any."""
    window_tokens: int = Field(ge=SHORTEST_WINDOW_TOKENS, le=8192)
    """[CLS] and [SEP] included."""
    window_overlap_tokens: int = Field(ge=0)
    max_windows: int = Field(ge=1, le=256)
    temperature: dict[EngineName, Annotated[float, Field(gt=0.0, allow_inf_nan=False)]]
    """Divides the logits of each engine."""
    self_check: tuple[SelfCheck, ...] = Field(min_length=1)
    dataset: dict[str, Any] = Field(default_factory=dict)
    """Lineage; any fields."""
    metrics: dict[str, Any] = Field(default_factory=dict)
    """Any fields."""
    created_at: AwareDatetime

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problem = next(_problems(self), None)
        if problem:
            raise ValueError(problem)
        return self


@dataclass(frozen=True)
class Version:
    """A verified version folder; `digest` is the SHA-256 (hex) of its manifest, which covers all files."""

    folder: Path
    manifest: Manifest
    digest: str

    def file(self, name: str) -> Path:
        """Return the path of one of its files."""
        return self.folder / name


def read_version(folder: Path) -> Version:
    """Read a version folder and verify every file in it against the manifest.

    Raises:
        ModelRejected: naming the file that is missing, altered or not in the manifest, or what this code cannot serve.
    """
    content = _manifest_bytes(folder)
    manifest = _parse(content, folder)
    _refuse_strangers(folder, manifest)
    for name, fact in manifest.files.items():
        _verify(folder / name, fact)
    return Version(folder, manifest, hashlib.sha256(content).hexdigest())


def write_manifest(folder: Path, manifest: Manifest) -> str:
    """Write `manifest` into the version folder, atomically, and return the version's digest."""
    content = manifest.model_dump_json(indent=2).encode() + b"\n"
    draft = folder / f".{MANIFEST}.{os.getpid()}"
    draft.write_bytes(content)
    draft.replace(folder / MANIFEST)
    return hashlib.sha256(content).hexdigest()


def file_facts(folder: Path) -> dict[str, FileFact]:
    """Return the facts of every file of a version that is in `folder`, as a manifest lists them."""
    return {name: _fact(folder / name) for name in sorted(ALLOWED_FILES) if (folder / name).is_file()}


def digest(folder: Path) -> str:
    """Return the digest of the version in `folder`, without verifying its files.

    Raises:
        ModelRejected: there is no manifest.
    """
    return hashlib.sha256(_manifest_bytes(folder)).hexdigest()


def _problems(manifest: Manifest) -> Iterator[str]:
    labels = LABEL_SETS.get(manifest.name)
    if labels is None:
        yield f"name {manifest.name!r} is unknown; known are {listed(sorted(LABEL_SETS))}"
    if labels != manifest.labels:
        yield f"labels {listed(manifest.labels)} are not those of {manifest.name!r}: {listed(labels or ())}"
    if manifest.normalizer not in NORMALIZERS:
        yield f"normalizer {manifest.normalizer!r} is unknown here; this code has {listed(sorted(NORMALIZERS))}"
    if problem := steps_problem(manifest.steps):
        yield problem
    if problem := languages_problem(manifest.languages):
        yield problem
    yield from _file_problems(manifest)
    if manifest.window_overlap_tokens > manifest.window_tokens // 2:
        yield f"window_overlap_tokens {manifest.window_overlap_tokens} is more than half of window_tokens"
    checked_rows = [
        row for check in manifest.self_check for row in (check.probabilities, check.full) if row is not None
    ]
    if any(len(row) != len(manifest.labels) for row in checked_rows):
        yield f"self_check needs {len(manifest.labels)} probabilities a text, one a label"


def _file_problems(manifest: Manifest) -> Iterator[str]:
    for name in sorted(set(manifest.files) - ALLOWED_FILES):
        yield f"file {name!r} is not allowed in a version; allowed are {listed(sorted(ALLOWED_FILES))}"
    for engine, name in manifest.engines.items():
        if name != ENGINE_FILES[engine]:
            yield f"engine {engine} runs {ENGINE_FILES[engine]!r}, not {name!r}"
        if engine not in manifest.temperature:
            yield f"temperature of engine {engine} is missing"
    for name in sorted({TOKENIZER, *manifest.engines.values()} - set(manifest.files)):
        yield f"file {name!r} is needed but not listed in files"


def _manifest_bytes(folder: Path) -> bytes:
    path = folder / MANIFEST
    if not path.is_file() or path.is_symlink():
        raise ModelRejected(f"{path} is missing: this is not a model version; {_REMEDY}")
    with path.open("rb") as file:
        content = file.read(_LARGEST_MANIFEST_BYTES + 1)
    if len(content) > _LARGEST_MANIFEST_BYTES:
        raise ModelRejected(f"{path} is larger than {_LARGEST_MANIFEST_BYTES} bytes; {_REMEDY}")
    return content


def _parse(content: bytes, folder: Path) -> Manifest:
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as exc:
        problem = exc.errors(include_url=False)[0]
        where = "".join(f"{part}: " for part in problem["loc"][:3])
        fields = ", ".join(Manifest.model_fields) if len(problem["loc"]) == 1 else ""
        reason = in_words(problem, permitted=fields, rules=_RULES)
        raise ModelRejected(f"{folder / MANIFEST}: {where}{reason}; {_REMEDY}") from None


def _refuse_strangers(folder: Path, manifest: Manifest) -> None:
    strangers = {entry.name for entry in folder.iterdir()} - {MANIFEST, *manifest.files}
    if strangers:
        raise ModelRejected(f"{folder / min(strangers)} is not in the manifest; remove it, or {_REMEDY}")


def _verify(path: Path, expected: FileFact) -> None:
    if path.is_symlink() or not path.is_file():
        raise ModelRejected(f"{path} is missing or not a plain file; {_REMEDY}")
    size = path.stat().st_size
    if size != expected.bytes:
        raise ModelRejected(f"{path} has {size} bytes, but its manifest says {expected.bytes}; {_REMEDY}")
    if _fact(path) != expected:
        raise ModelRejected(f"{path} does not match the SHA-256 in its manifest; {_REMEDY}")


def _fact(path: Path) -> FileFact:
    hashed, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            hashed.update(chunk)
            size += len(chunk)
    return FileFact(sha256=hashed.hexdigest(), bytes=size)
