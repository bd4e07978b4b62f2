"""Every model of the zoo is exported and served: each engine says what the network says, padding or none."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="exporting needs the train extra")
pytest.importorskip("transformers", reason="the zoo needs the train extra")
onnx = pytest.importorskip("onnx", reason="exporting needs the train extra")

from sentiment.errors import ModelRejected  # noqa: E402
from sentiment.labels import LABEL_SETS  # noqa: E402
from sentiment.models.zoo import ModelBundle, build  # noqa: E402
from sentiment.predictor import Predictor  # noqa: E402
from sentiment.predictor.batches import Padded  # noqa: E402
from sentiment.predictor.onnx_engine import OnnxEngine  # noqa: E402
from sentiment.text import CURRENT_NORMALIZER  # noqa: E402
from sentiment.training.export import export_engines, export_onnx, onnx_probabilities  # noqa: E402
from sentiment.version import ENGINE_FILES, Manifest, SelfCheck, file_facts, write_manifest  # noqa: E402
from tests.tiny_backbone import hub_classifier, own_backbone  # noqa: E402

#: Both label sets are served, each by some.
NAMES = {
    "lstm": "sentiment",
    "cnn": "sentiment-reviews",
    "bert-gru": "sentiment-reviews",
    "student": "sentiment",
    "hub": "sentiment-reviews",
}
PRESETS = {
    "lstm": {"embedding": 12, "hidden": 8},
    "cnn": {"embedding": 12, "filters": 6},
    "bert-gru": {"hidden": 8},
    "student": {"layers": 2, "embedding": 8},
    "hub": {},
}
TEXTS = ["a good film", "bad", "x", "love love love and so it goes on and on", "good bad love heart face film"]

Exported = Callable[[str], tuple[ModelBundle, Path]]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Makes each preset's full version once."""
    backbone = own_backbone(tmp_path_factory.mktemp("backbone"))
    stranger = tmp_path_factory.mktemp("electra")
    hub_classifier("electra", stranger)

    @functools.cache
    def make(preset: str) -> tuple[ModelBundle, Path]:
        torch.manual_seed(5)
        origin = stranger if preset == "hub" else backbone
        start = build(preset, len(LABEL_SETS[NAMES[preset]]), backbone=str(origin), overrides=PRESETS[preset])
        with torch.no_grad():
            start.model.get_parameter("head.weight").mul_(3.0)  # so that labels differ by more than rounding
        folder = tmp_path_factory.mktemp("version")
        export_engines(start, folder)
        return start, folder

    return make


def probabilities(start: ModelBundle) -> np.ndarray:
    """Of each text alone, by the network itself."""
    found = []
    for text in TEXTS:
        ids = torch.tensor([start.tokenizer.encode(text).ids])
        with torch.no_grad():
            found.append(torch.softmax(start.model.eval()(ids, torch.ones_like(ids))[0], dim=-1).numpy())
    return np.stack(found)


def padded_batch(start: ModelBundle, spare: int) -> Padded:
    rows = [start.tokenizer.encode(text).ids for text in TEXTS]
    longest = max(map(len, rows)) + spare
    ids = np.array([row + [9] * (longest - len(row)) for row in rows])
    return Padded(ids, np.array([[1] * len(row) + [0] * (longest - len(row)) for row in rows]))


def softmax(logits: np.ndarray) -> np.ndarray:
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_float_graph_says_what_the_network_says_alone_and_in_a_padded_batch(preset, exported):
    start, folder = exported(preset)
    expected = probabilities(start)
    assert np.ptp(expected, axis=0).min() > 1e-2
    assert np.abs(onnx_probabilities(folder / "model.onnx", start.tokenizer, TEXTS) - expected).max() < 1e-5
    engine = OnnxEngine(folder / "model.onnx")
    for spare in (0, 7):
        assert np.abs(softmax(engine.forward(padded_batch(start, spare))) - expected).max() < 1e-5


@pytest.mark.parametrize("preset", PRESETS)
def test_the_int8_graph_agrees_and_its_weights_are_bytes(preset, exported):
    start, folder = exported(preset)
    expected = probabilities(start)
    found = onnx_probabilities(folder / "model.int8.onnx", start.tokenizer, TEXTS)
    assert np.abs(found - expected).max() < 0.05
    padded = softmax(OnnxEngine(folder / "model.int8.onnx").forward(padded_batch(start, 7)))
    assert np.abs(padded - expected).max() < 0.05
    large = [
        weight
        for weight in onnx.load(folder / "model.int8.onnx").graph.initializer
        if weight.data_type == onnx.TensorProto.FLOAT and len(weight.dims) > 1 and np.prod(weight.dims) > 1000
    ]
    assert not large


@pytest.mark.parametrize("preset", PRESETS)
def test_each_engine_serves_the_model(preset, exported):
    start, folder = exported(preset)
    name = NAMES[preset]
    expected = probabilities(start)
    recorded = onnx_probabilities(folder / "model.int8.onnx", start.tokenizer, TEXTS)
    checks = [
        SelfCheck(text=text, probabilities=tuple(row)) for text, row in zip(TEXTS, recorded.tolist(), strict=True)
    ]
    manifest = Manifest(
        name=name,
        labels=LABEL_SETS[name],
        engines=dict(ENGINE_FILES),
        files=file_facts(folder),
        normalizer=CURRENT_NORMALIZER,
        window_tokens=start.config.positions,
        window_overlap_tokens=4,
        max_windows=2,
        temperature=dict.fromkeys(ENGINE_FILES, 1.0),
        self_check=tuple(checks),
        created_at=datetime(2026, 11, 21, tzinfo=UTC),
    )
    write_manifest(folder, manifest)
    for engine, off in (("torch", 1e-5), ("onnx", 1e-5), ("onnx-int8", 0.05)):
        answers = Predictor.load(folder, engine=engine).predict(TEXTS)
        assert not answers.errors
        assert np.abs(np.array(answers.probabilities) - expected).max() < off


class _Frozen(torch.nn.Module):
    """Adds the length of its batch, which tracing takes for a constant."""

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return (input_ids * attention_mask).float().sum(dim=1, keepdim=True) + float(input_ids.shape[1])


def test_a_network_that_tracing_falsifies_is_refused(tmp_path):
    with pytest.raises(ModelRejected, match=r"differ from the network's.*only with engine torch"):
        export_onnx(_Frozen(), tmp_path / "model.onnx")
