"""A trained encoder becomes a version folder that the predictor loads and that says what the network says."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="exporting needs the train extra")
pytest.importorskip("onnx", reason="exporting needs the train extra")

from tokenizers import Tokenizer  # noqa: E402

from sentiment.errors import ModelRejected  # noqa: E402
from sentiment.labels import THREE_CLASSES  # noqa: E402
from sentiment.models.architectures.encoder import EncoderClassifier, EncoderConfig  # noqa: E402
from sentiment.models.vocabulary import SPECIAL_PIECES, build_tokenizer  # noqa: E402
from sentiment.models.zoo import ModelBundle, save_model  # noqa: E402
from sentiment.predictor import Predictor  # noqa: E402
from sentiment.training.export import (  # noqa: E402
    Agreement,
    agreement,
    cool,
    export_engines,
    onnx_probabilities,
    require_agreement,
)
from sentiment.version import ENGINE_FILES, read_version  # noqa: E402
from train_jobs.shipped_model.default_model import pull_back, shift_neutral  # noqa: E402
from train_jobs.shipped_model.readers import LabelledText  # noqa: E402
from train_jobs.versions import write_version  # noqa: E402
from train_jobs.versions.write_version import (  # noqa: E402
    export_calibrated,
    precision_warning,
    version_from_model,
    write_card_file,
    write_int8_only,
)

_LETTERS = [*"abcdefghijklmnopqrstuvwxyz", *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")]
_TEXTS = ["a good one", "bad", "so so", "neither here nor there", "x"]


@pytest.fixture(scope="module")
def start() -> ModelBundle:
    torch.manual_seed(4)
    tokenizer = build_tokenizer([*SPECIAL_PIECES, *_LETTERS, "good", "bad"])
    config = EncoderConfig(tokenizer.get_vocab_size(), hidden=32, layers=2, heads=4, feed_forward=64, positions=64)
    return ModelBundle(EncoderClassifier(config).eval(), config, tokenizer, "encoder")


@pytest.fixture(scope="module")
def exported(start: ModelBundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("version")
    export_engines(start, folder)
    return folder


def _reference(start: ModelBundle) -> np.ndarray:
    rows = [start.tokenizer.encode(text).ids for text in _TEXTS]
    with torch.no_grad():
        logits = [start.model(torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.long))[0] for ids in rows]
    return torch.softmax(torch.stack(logits), dim=-1).numpy()


def test_the_float_graph_says_what_the_network_says(start: ModelBundle, exported: Path) -> None:
    found = onnx_probabilities(exported / "model.onnx", start.tokenizer, _TEXTS)
    assert np.abs(found - _reference(start)).max() < 1e-5


def test_the_int8_graph_is_close_to_the_network_and_a_fraction_of_its_size(start: ModelBundle, exported: Path) -> None:
    found = onnx_probabilities(exported / "model.int8.onnx", start.tokenizer, _TEXTS)
    assert np.abs(found - _reference(start)).max() < 0.05
    assert (exported / "model.int8.onnx").stat().st_size < 0.8 * (exported / "model.onnx").stat().st_size


def test_config_and_tokenizer_are_enough_to_build_the_network_again(exported: Path) -> None:
    config = json.loads((exported / "config.json").read_text())
    assert config.pop("architecture") == "encoder"
    assert Tokenizer.from_file(str(exported / "tokenizer.json")).get_vocab_size() == EncoderConfig(**config).vocabulary


def test_cooling_keeps_the_order_and_flattens() -> None:
    warm = np.array([[0.7, 0.2, 0.1]])
    assert cool(warm, 1.0) == pytest.approx(warm)
    logits = np.log(warm) / 2.0
    assert cool(warm, 2.0) == pytest.approx(np.exp(logits) / np.exp(logits).sum())


def test_engines_that_disagree_are_refused_with_the_remedy() -> None:
    one, other = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([[0.8, 0.2], [0.6, 0.4]])
    found = agreement(one, other)
    assert (found.texts, found.same_label) == (2, 0.5)
    assert found.largest_difference == pytest.approx(0.4)
    require_agreement(found, 0.5)
    with pytest.raises(ModelRejected, match=r"full precision on 50\.0%.*train the model further"):
        require_agreement(found, 0.95)


class _Noisy(torch.nn.Module):
    """Knows the label of "a", "b" and "c" (0, 1, 2), and has a head whose bias can be moved."""

    def __init__(self, first: int) -> None:
        super().__init__()
        self.first = first
        self.head = torch.nn.Linear(1, 3)
        torch.nn.init.zeros_(self.head.bias)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return 2.0 * torch.eye(3)[input_ids[:, 1] - self.first] + self.head.bias


def test_shifting_gives_back_to_neutral_what_training_on_reviews_took(start: ModelBundle) -> None:
    model = _Noisy(start.tokenizer.token_to_id("a"))
    with torch.no_grad():
        model.head.bias += torch.tensor([0.0, -4.0, 0.0])
    noise = [LabelledText("abc"[(label + off) % 3], label) for label in range(3) for off in (0, 0, 0, 1, 2)]
    shift_neutral(replace(start, model=model), noise)
    assert model.head.bias.tolist() == pytest.approx([0.0] * 3, abs=1e-2)


def test_pulling_back_mixes_the_encoder_with_its_start_and_leaves_the_head(start: ModelBundle) -> None:
    model = copy.deepcopy(start.model)
    initial = {name: torch.zeros_like(tensor) for name, tensor in model.state_dict().items()}
    pull_back(replace(start, model=model), initial, share=0.3)
    assert torch.allclose(model.words.weight, 0.7 * start.model.words.weight)
    assert torch.equal(model.head.weight, start.model.head.weight)


@pytest.fixture
def int8_says_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_version, "agreement", lambda *_: Agreement(5, 0.4, 0.9))


def test_a_model_that_int8_does_not_suit_becomes_a_version_in_full_precision_which_serves(
    start: ModelBundle, tmp_path: Path, int8_says_something_else: None
) -> None:
    save_model(start, tmp_path / "model")
    held_out = [(text, THREE_CLASSES[number % 3]) for number, text in enumerate(_TEXTS)]
    made = version_from_model(
        tmp_path / "model", held_out, tmp_path / "version", "sentiment", dataset={}, metrics={}, window_tokens=64
    )
    assert set(made.manifest.engines) == set(made.manifest.temperature) == {"onnx", "torch"}
    assert not made.file(ENGINE_FILES["onnx-int8"]).exists()
    warning = precision_warning(made.manifest.engines, made.manifest.metrics)
    assert warning
    assert "int8 agrees with full precision on 40.0% of the validation texts" in warning
    assert warning in made.file("README.md").read_text()
    served = Predictor.load(tmp_path / "version")
    assert served.engine == "onnx"
    assert served.predict(_TEXTS).errors == {}
    assert Predictor.load(tmp_path / "version", engine="torch").predict(_TEXTS).errors == {}


def test_what_ships_in_int8_alone_is_refused_where_int8_does_not_suit(
    start: ModelBundle, tmp_path: Path, int8_says_something_else: None
) -> None:
    held_out = [(text, number % 3) for number, text in enumerate(_TEXTS)]
    with pytest.raises(ModelRejected, match=r"40\.0%.*train the model further"):
        export_calibrated(start, held_out, tmp_path, {}, needs_int8=True)


def test_a_written_version_is_accepted_by_the_predictor_on_every_engine(start: ModelBundle, tmp_path: Path) -> None:
    held_out = [(text, number % 3) for number, text in enumerate(_TEXTS)]
    full, small = tmp_path / "full", tmp_path / "int8"
    facts = export_calibrated(start, held_out, full, {"corpora": ["none"]})
    write_card_file(full, "# A card\n")
    digest = write_int8_only(full, small, facts)
    assert read_version(small).digest == digest
    assert set(read_version(small).manifest.engines) == {"onnx-int8"}
    assert read_version(small).manifest.created_at < datetime.now(UTC)
    with pytest.raises(ModelRejected):
        read_version(full)  # the card came after its manifest
    (full / "README.md").unlink()
    for engine in ENGINE_FILES:
        answers = Predictor.load(full, engine=engine).predict(_TEXTS)
        assert answers.errors == {}
        assert np.sum(answers.probabilities, axis=1) == pytest.approx(np.ones(len(_TEXTS)))
