"""A version folder holds what its manifest says and nothing else."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sentiment.errors import ModelRejected
from sentiment.version import digest, file_facts, read_version, write_manifest
from tests.tiny_model import build_tiny_version

Edit = Callable[[dict[str, Any]], Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return build_tiny_version(tmp_path / "version")


def _edit(folder: Path, edit: Edit) -> None:
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_a_version_as_written_is_read_back_with_the_digest_that_writing_returned(folder: Path) -> None:
    version = read_version(folder)
    assert version.digest == digest(folder) == write_manifest(folder, version.manifest)
    assert version.manifest.labels == ("negative", "neutral", "positive")
    assert version.file("config.json").is_file()
    assert set(version.manifest.files) == set(file_facts(folder))


def test_a_version_crosses_processes(folder: Path) -> None:
    version = read_version(folder)
    assert pickle.loads(pickle.dumps(version)) == version


def test_a_manifest_that_says_nothing_of_steps_has_none_and_an_unknown_step_is_refused(folder: Path) -> None:
    _edit(folder, lambda content: content.pop("steps"))
    assert read_version(folder).manifest.steps == ()
    _edit(folder, lambda content: content.update(steps=["lower", "spell"]))
    with pytest.raises(ModelRejected, match="step 'spell' is unknown; there are base, lower, stem, lemma"):
        read_version(folder)


def test_versions_that_differ_in_a_card_alone_have_different_digests(tmp_path: Path) -> None:
    one, other = (digest(build_tiny_version(tmp_path / marker, version_marker=marker)) for marker in ("1", "2"))
    assert one != other
    assert len(one) == 64


def test_a_folder_without_a_manifest_is_no_version(tmp_path: Path) -> None:
    with pytest.raises(ModelRejected, match=r"manifest\.json is missing"):
        read_version(tmp_path)
    with pytest.raises(ModelRejected, match=r"manifest\.json is missing"):
        digest(tmp_path)


def test_an_altered_byte_is_found_in_any_file(folder: Path) -> None:
    for name in ("tokenizer.json", "model.int8.onnx", "config.json", "README.md"):
        path = folder / name
        original = path.read_bytes()
        path.write_bytes(original[:-1] + bytes([original[-1] ^ 1]))
        with pytest.raises(ModelRejected, match=f"{name} does not match"):
            read_version(folder)
        path.write_bytes(original + b" ")
        with pytest.raises(ModelRejected, match=f"{name} has {len(original) + 1} bytes"):
            read_version(folder)
        path.write_bytes(original)
    assert read_version(folder)


def test_a_missing_file_a_stranger_a_folder_and_a_link_are_refused_by_name(folder: Path, tmp_path: Path) -> None:
    (folder / "pickle.bin").write_bytes(b"x")
    with pytest.raises(ModelRejected, match=r"pickle\.bin is not in the manifest"):
        read_version(folder)
    (folder / "pickle.bin").unlink()
    (folder / "nested").mkdir()
    with pytest.raises(ModelRejected, match="nested is not in the manifest"):
        read_version(folder)
    (folder / "nested").rmdir()
    (folder / "config.json").rename(tmp_path / "elsewhere.json")
    with pytest.raises(ModelRejected, match=r"config\.json is missing"):
        read_version(folder)
    (folder / "config.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(ModelRejected, match=r"config\.json is missing or not a plain file"):
        read_version(folder)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda m: m.update(format=2), "format"),
        (lambda m: m.update(name="emotions"), "name 'emotions' is unknown"),
        (lambda m: m.update(name="sentiment-reviews"), "labels .* are not those of 'sentiment-reviews'"),
        (lambda m: m.update(labels=["positive", "neutral", "negative"]), "labels .* are not those"),
        (lambda m: m.update(normalizer="9"), "normalizer '9' is unknown here"),
        (lambda m: m.update(engines={}), "engines"),
        (lambda m: m.update(engines={"onnx-int8": "../../etc/passwd"}), "engine onnx-int8 runs 'model.int8.onnx'"),
        (lambda m: m["files"].update({"../x": {"sha256": "0" * 64, "bytes": 0}}), "file '../x' is not allowed"),
        (lambda m: m["files"].pop("tokenizer.json"), "file 'tokenizer.json' is needed"),
        (lambda m: m["files"]["config.json"].update(sha256="zz"), r"files: config\.json: sha256: must be a SHA-256"),
        (lambda m: m["files"]["config.json"].update(size=3), r"files: config\.json: size: is not known here; copy"),
        (lambda m: m.update(temperature={}), "temperature of engine onnx-int8 is missing"),
        (lambda m: m.update(temperature={"onnx-int8": 0}), "temperature: onnx-int8"),
        (lambda m: m.update(window_overlap_tokens=30), "window_overlap_tokens 30 is more than half"),
        (lambda m: m.update(max_windows=0), "max_windows"),
        (lambda m: m.update(self_check=[]), "self_check"),
        (lambda m: m["self_check"][0].update(probabilities=[0.5, 0.5]), "self_check needs 3 probabilities"),
        (lambda m: m["self_check"][0].update(full=[0.5, 0.5]), "self_check needs 3 probabilities"),
        (lambda m: m.update(created_at="yesterday"), "created_at"),
        (lambda m: m.update(surprise=1), "surprise: is not known here; permitted are format, name, labels, engines"),
    ],
)
def test_a_manifest_that_this_code_cannot_serve_says_what_is_wrong(folder: Path, edit: Edit, says: str) -> None:
    _edit(folder, edit)
    with pytest.raises(ModelRejected, match=says):
        read_version(folder)


def test_a_manifest_that_is_not_json_or_endless_is_refused(folder: Path) -> None:
    (folder / "manifest.json").write_bytes(b"\x80\x04K.")
    with pytest.raises(ModelRejected, match="JSON"):
        read_version(folder)
    (folder / "manifest.json").write_bytes(b" " * (1 << 20) + b" ")
    with pytest.raises(ModelRejected, match="larger than 1048576 bytes"):
        read_version(folder)
