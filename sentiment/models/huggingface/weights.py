"""The tensors of a model's folder: one safetensors file or several with an index; and why there are none."""

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
#: What Git LFS leaves in the place of a file that it has not fetched.
_POINTER: Final = b"version https://git-lfs.github.com/spec/"
_LENGTH_BYTES: Final = 8  # of a safetensors header, in front of it
_LONGEST_HEADER_BYTES: Final = 100_000_000  # safetensors' own limit
_MOST_NAMED: Final = 3
_AGAIN: Final = "Copy or download it again"
#: Names of what is put around a model in a training, and what to save instead.
_WRAPPERS: Final = {
    "_orig_mod": "what torch.compile puts around a model: save model._orig_mod.save_pretrained(...)",
    "_fsdp_wrapped_module": "what FSDP puts around a model: save the full state of the model inside",
    "_forward_module": "what Lightning puts around a model: save the model inside",
    "module": "what DataParallel puts around a model: save model.module.save_pretrained(...)",
    "base_model": "what PEFT puts around a model: save model.merge_and_unload().save_pretrained(...)",
}


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """Return all tensors of a model's folder from its safetensors, one file or several with an index.

    Raises:
        ModelRejected: there are none (pickles are never read), one is broken, or they are of what wraps a model.
    """
    tensors: dict[str, Tensor] = {}
    for shard in _shards(folder):
        tensors.update(_read(folder / shard))
    _refuse_wrapped(folder, tensors)
    return tensors


def refuse_pointer(path: Path) -> None:
    """Raise ModelRejected where a file is not there but what Git LFS left in its place."""
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
    """Return where files called `name` lie one level deeper in `folder`, as the end of a message; empty if nowhere."""
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
    """Return why a folder has no tensors to read, in words for the user."""
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
    """Return how much of a safetensors file is there, empty unless it ends before what its header says."""
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
        wanted = _LENGTH_BYTES + header_bytes + max(ends, default=0)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return ""
    return f"is cut off: it has {size:,} of the {wanted:,} bytes that its header says" if size < wanted else ""


def _refuse_wrapped(folder: Path, tensors: Mapping[str, Tensor]) -> None:
    """Refuse tensors of a model that was saved with what a training had put around it."""
    for name in tensors:
        parts = name.split(".")
        found = [part for part in _WRAPPERS if part in (parts if part.startswith("_") else parts[:1])]
        if found:
            raise ModelRejected(
                f"{folder}: its tensors are named as in {name!r}, and {found[0]}. is {_WRAPPERS[found[0]]}; or take "
                f"{found[0]}. out of the names"
            )
