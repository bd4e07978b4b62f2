"""Reads the tensors of a model's folder: one safetensors file or several with an index; explains why there are none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from sentiment.errors import ModelRejected
from sentiment.validation_messages import in_one_line, listed
from sentiment.version import ENGINE_FILES

WEIGHTS: Final = ENGINE_FILES["torch"]

_INDEX: Final = f"{WEIGHTS}.index.json"
_ADAPTER: Final = "adapter_config.json"
_SHARDS: Final = "model-*-of-*.safetensors"
_PICKLES: Final = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
#: First line of the file that Git LFS puts in place of one that was not downloaded.
_POINTER: Final = b"version https://git-lfs.github.com/spec/"
_LENGTH_BYTES: Final = 8  # of a safetensors header, in front of it
_LONGEST_HEADER_BYTES: Final = 100_000_000  # safetensors' own limit
_MOST_NAMED: Final = 3
_AGAIN: Final = "Copy or download it again"
#: Prefixes of tensors from wrappers around a model, and how to save the model without them.
_WRAPPERS: Final = {
    "_orig_mod": "a wrapper of torch.compile: save model._orig_mod.save_pretrained(...)",
    "_fsdp_wrapped_module": "a wrapper of FSDP: save the full state of the model inside",
    "_forward_module": "a wrapper of Lightning: save the model inside",
    "module": "a wrapper of DataParallel: save model.module.save_pretrained(...)",
    "base_model": "a wrapper of PEFT: save model.merge_and_unload().save_pretrained(...)",
}


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """Return all tensors of a model's folder from its safetensors, one file or several with an index.

    Raises:
        ModelRejected: there are none (pickles are never read), one is damaged, or they were saved with a wrapper.
    """
    tensors: dict[str, Tensor] = {}
    for shard in _shards(folder):
        tensors.update(_read(folder / shard))
    _refuse_wrapped(folder, tensors)
    return tensors


def refuse_pointer(path: Path) -> None:
    """Raise ModelRejected if a file is a Git LFS pointer."""
    try:
        with path.open("rb") as file:
            is_pointer = file.read(len(_POINTER)) == _POINTER
    except OSError:
        return
    if is_pointer:
        raise ModelRejected(
            f"{path} is a Git LFS pointer and not the file itself: run `git lfs pull` in {path.parent}, or name the "
            "model as hf:OWNER/NAME"
        )


def deeper(folder: Path, name: str) -> str:
    """Return the end of a message that names subfolders of `folder` with a file `name`; empty if there are none."""
    places = sorted(path.parent for path in folder.glob(f"*/{name}") if path.is_file())
    if not places:
        return ""
    more = " …" if len(places) > _MOST_NAMED else ""
    verb = "holds" if len(places) == 1 else "hold"
    return f"; {listed(places[:_MOST_NAMED])}{more} {verb} one: name that folder"


def _shards(folder: Path) -> list[str]:
    if (folder / WEIGHTS).is_file():
        return [WEIGHTS]
    index = folder / _INDEX
    if not index.is_file():
        raise ModelRejected(_why_none(folder))
    refuse_pointer(index)
    try:
        shards = sorted({Path(shard).name for shard in json.loads(index.read_text("utf-8"))["weight_map"].values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ModelRejected(f"{index} cannot be read as an index of shards: {in_one_line(exc)}. {_AGAIN}") from exc
    missing = [shard for shard in shards if not (folder / shard).is_file()]
    if missing or not shards:
        named = listed(missing[:_MOST_NAMED]) + (" …" if len(missing) > _MOST_NAMED else "")
        raise ModelRejected(
            f"{index} names {len(shards)} shards; missing in the folder: {named or 'all'}. Copy or download them, too"
        )
    return shards


def _why_none(folder: Path) -> str:
    """Return the message that says why a folder has no readable tensors."""
    if (folder / _ADAPTER).is_file():
        return (
            f"{folder} holds an adapter alone ({_ADAPTER}): merge it into its model first, "
            "peft_model.merge_and_unload().save_pretrained(...)"
        )
    if shards := sorted(path.name for path in folder.glob(_SHARDS)):
        return f"{folder} holds shards ({shards[0]} …) without {_INDEX}, which lists them all: copy or download it, too"
    if pickles := sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern)):
        return (
            f"{folder} has {pickles[0]} and no {WEIGHTS}. Only safetensors are read, since a pickle could run code: "
            "convert the checkpoint, or name a revision that has them"
        )
    if others := sorted(path.name for path in folder.glob("*.safetensors")):
        return f"{folder} has {listed(others[:_MOST_NAMED])} and no {WEIGHTS}: name the file so"
    return (
        f"{folder} has no weights: {WEIGHTS} is missing{deeper(folder, WEIGHTS)}. model.save_pretrained(...) writes it"
    )


def _read(path: Path) -> dict[str, Tensor]:
    refuse_pointer(path)
    try:
        return load_file(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as exc:
        raise ModelRejected(f"{path} {_cut_off(path) or f'cannot be read: {in_one_line(exc)}'}. {_AGAIN}") from exc


def _cut_off(path: Path) -> str:
    """Return how a safetensors file is truncated, for a message; empty if its length matches its header."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            header_bytes = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            if size <= _LENGTH_BYTES:
                return f"is cut off: it has {size} bytes"
            if header_bytes > _LONGEST_HEADER_BYTES:
                return "is no safetensors file"
            if size < _LENGTH_BYTES + header_bytes:
                return f"is cut off in its header: it has {size:,} bytes"
            header = json.loads(file.read(header_bytes))
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        expected = _LENGTH_BYTES + header_bytes + max(ends, default=0)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return ""
    return f"is cut off: it has {size:,} of the {expected:,} bytes that its header says" if size < expected else ""


def _refuse_wrapped(folder: Path, tensors: Mapping[str, Tensor]) -> None:
    """Refuse tensors that were saved with a wrapper around the model."""
    for name in tensors:
        parts = name.split(".")
        wrappers = [part for part in _WRAPPERS if part in (parts if part.startswith("_") else parts[:1])]
        if wrappers:
            raise ModelRejected(
                f"{folder}: the names of its tensors, such as {name!r}, contain {wrappers[0]}, "
                f"{_WRAPPERS[wrappers[0]]}; or remove {wrappers[0]}. from the names"
            )
