"""Weights that cannot be read are refused in words of their own: what is there, what is missing, and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="reading weights needs the train extra")

from safetensors.torch import save_file  # noqa: E402

from sentiment.errors import ModelRejected  # noqa: E402
from sentiment.models.huggingface.checkpoint import read_config, read_tokenizer  # noqa: E402
from sentiment.models.huggingface.weights import read_tensors  # noqa: E402

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 1234\n"
FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


def write(path: Path, name: str = "weight") -> None:
    save_file({name: torch.arange(12.0)}, path)


def cut(path: Path, bytes_left: int) -> None:
    write(path)
    path.write_bytes(path.read_bytes()[:bytes_left])


def sharded(folder: Path) -> None:
    write(folder / FIRST, "a")
    write(folder / SECOND, "b")
    index = {"weight_map": {"a": FIRST, "b": SECOND}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def test_shards_are_read_by_their_index(tmp_path: Path) -> None:
    sharded(tmp_path)
    assert sorted(read_tensors(tmp_path)) == ["a", "b"]


def without_index(folder: Path) -> None:
    sharded(folder)
    (folder / "model.safetensors.index.json").unlink()


def without_second(folder: Path) -> None:
    sharded(folder)
    (folder / SECOND).unlink()


def with_pointer_for_second(folder: Path) -> None:
    sharded(folder)
    (folder / SECOND).write_text(POINTER)


def with_broken_index(folder: Path) -> None:
    sharded(folder)
    (folder / "model.safetensors.index.json").write_text('{"weight_map": ["a"]}')


def one_level_deeper(folder: Path) -> None:
    (folder / "checkpoint-500").mkdir()
    write(folder / "checkpoint-500" / "model.safetensors")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda folder: (folder / "model.safetensors").write_text(POINTER), r"a Git LFS pointer .*`git lfs pull` in"),
        (with_pointer_for_second, rf"{SECOND} is a Git LFS pointer"),
        (lambda folder: cut(folder / "model.safetensors", 100), r"cut off: it has 100 of the \d+ bytes"),
        (lambda folder: cut(folder / "model.safetensors", 30), "cut off in its header: it has 30 bytes"),
        (lambda folder: cut(folder / "model.safetensors", 0), "cut off: it has 0 bytes"),
        (
            lambda folder: (folder / "model.safetensors").write_text("<html>Entry not found</html>"),
            "is no safetensors file",
        ),
        (without_second, rf"names 2 shards; missing in the folder: {SECOND}\."),
        (without_index, rf"holds shards \({FIRST} …\) without model\.safetensors\.index\.json"),
        (with_broken_index, "cannot be read as an index of shards"),
        (lambda folder: (folder / "pytorch_model.bin").write_bytes(b"\x80"), "pytorch_model.bin.*a pickle could run"),
        (lambda folder: write(folder / "weights.safetensors"), r"has weights\.safetensors and no model\.safetensors"),
        (one_level_deeper, r"model\.safetensors is missing; .*checkpoint-500 holds one: name that folder"),
        (lambda folder: None, r"has no weights: model\.safetensors is missing\."),
    ],
)
def test_weights_that_are_not_there_are_told_by_their_reason(
    tmp_path: Path, make: Callable[[Path], object], says: str
) -> None:
    make(tmp_path)
    with pytest.raises(ModelRejected, match=says) as caught:
        read_tensors(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_config_or_tokenizer_that_git_lfs_has_not_fetched_is_told_so(tmp_path: Path) -> None:
    for name, read in (("config.json", read_config), ("tokenizer.json", read_tokenizer)):
        (tmp_path / name).write_text(POINTER)
        with pytest.raises(ModelRejected, match=rf"{name} is a Git LFS pointer"):
            read(tmp_path)


def test_a_folder_whose_models_lie_one_level_deeper_names_them(tmp_path: Path) -> None:
    with pytest.raises(ModelRejected, match=r"has no config\.json$"):
        read_config(tmp_path)
    for name in ("checkpoint-1000", "checkpoint-500"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    with pytest.raises(ModelRejected, match=r"checkpoint-1000, .*checkpoint-500 hold one: name that folder"):
        read_config(tmp_path)
