"""What is not one model, whole and of the shape that is wanted, is refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the zoo needs the train extra")
pytest.importorskip("transformers", reason="the zoo needs the train extra")

from safetensors.torch import load_file, save_file

from sentiment.errors import ModelRejected
from sentiment.models.zoo import load_model, save_model
from tests.tiny_backbone import own_backbone
from tests.tiny_zoo import make


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return own_backbone(tmp_path_factory.mktemp("backbone"))


def _edit(folder: Path, **fields: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **fields}))


@pytest.fixture
def saved(backbone: Path, tmp_path: Path) -> Path:
    save_model(make("cnn", backbone), tmp_path / "cnn")
    return tmp_path / "cnn"


def test_a_model_of_another_architecture_or_shape_is_refused_naming_both(saved, backbone):
    with pytest.raises(ModelRejected, match="holds a cnn model, not a lstm model"):
        load_model(saved, like=make("lstm", backbone))
    with pytest.raises(ModelRejected, match="filters 6, not 7"):
        load_model(saved, like=make("cnn", backbone, filters=7))
    with pytest.raises(ModelRejected, match="labels 3, not 2"):
        load_model(saved, like=make("cnn", backbone, labels=2))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"architecture": "gpt"}, "architecture 'gpt'; known are bert-gru, cnn, encoder, hub, lstm"),
        ({"architecture": "lstm"}, "does not describe a lstm model: LstmConfig has no"),
        ({"filters": 9}, "bias is 6 here, but 9 in the model of config.json"),
        ({"filters": -1}, "filters: must be 1 or more, not -1"),
        ({"sizes": [3, 4]}, "convolutions.2.bias is 6 here, but not there in"),
        ({"vocabulary": 9}, "pieces|words.weight"),
    ],
)
def test_a_config_that_is_not_of_these_weights_is_refused(saved, fields, message):
    _edit(saved, **fields)
    with pytest.raises(ModelRejected, match=message):
        load_model(saved)


def test_a_tokenizer_with_more_pieces_than_the_model_is_refused(saved, backbone):
    make("minilm", backbone).tokenizer.save(str(saved / "tokenizer.json"))
    tensors = load_file(saved / "model.safetensors")
    save_file({**tensors, "words.weight": tensors["words.weight"][:40].clone()}, saved / "model.safetensors")
    _edit(saved, vocabulary=40)
    with pytest.raises(ModelRejected, match="pieces, but the cnn model has 40"):
        load_model(saved)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_or_broken_file_is_named(saved, name):
    (saved / name).write_bytes(b"\x80 no such thing")
    with pytest.raises(ModelRejected, match=name):
        load_model(saved)
    (saved / name).unlink()
    with pytest.raises(ModelRejected, match=name):
        load_model(saved)
