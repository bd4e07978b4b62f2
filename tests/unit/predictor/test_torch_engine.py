"""The torch engine runs the full version's safetensors, in float32 where there is no GPU."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the torch engine belongs to the train and gpu extras")

from safetensors.torch import save_file  # noqa: E402

from sentiment.errors import ModelRejected  # noqa: E402
from sentiment.models.architectures.encoder import EncoderClassifier, EncoderConfig  # noqa: E402
from sentiment.predictor import Predictor  # noqa: E402
from sentiment.predictor.tokenisation import load_tokenisation  # noqa: E402
from sentiment.predictor.torch_engine import TorchEngine  # noqa: E402
from sentiment.version import Manifest, SelfCheck, Version, file_facts, read_version, write_manifest  # noqa: E402
from tests.tiny_model import build_tiny_version  # noqa: E402

TEXTS = ["i love this phone", "x", "the worst day of all"]
CONFIG = EncoderConfig(vocabulary=256, hidden=16, layers=2, heads=2, feed_forward=32, positions=32)


def _model() -> EncoderClassifier:
    torch.manual_seed(0)
    return EncoderClassifier(CONFIG).eval()


def _alone(folder: Path, text: str) -> tuple[float, ...]:
    """What the model says of a text, computed without the predictor."""
    (pieces,) = load_tokenisation(read_version(folder)).split([text])
    ids = torch.tensor(pieces.windows)
    with torch.inference_mode():
        return tuple(torch.softmax(_model()(ids, torch.ones_like(ids))[0], dim=-1).tolist())


def _rewrite(folder: Path, **fields: Any) -> Version:
    manifest = read_version(folder).manifest.model_dump() | fields | {"files": file_facts(folder)}
    write_manifest(folder, Manifest.model_validate(manifest))
    return read_version(folder)


@pytest.fixture
def full(tmp_path: Path) -> Version:
    folder = build_tiny_version(tmp_path / "version")
    checks = [SelfCheck(text=text, probabilities=_alone(folder, text)) for text in TEXTS]
    save_file(_model().state_dict(), folder / "model.safetensors")
    return _configured(folder, {"architecture": "encoder", **dataclasses.asdict(CONFIG)}, self_check=checks)


def _configured(folder: Path, config: dict[str, Any], **fields: Any) -> Version:
    (folder / "config.json").write_text(json.dumps(config))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = {name: fact.model_dump() for name, fact in file_facts(folder).items()}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    engines = {"onnx-int8": "model.int8.onnx", "torch": "model.safetensors"}
    return _rewrite(folder, engines=engines, temperature=dict.fromkeys(engines, 1.0), **fields)


def test_a_batch_of_torch_gives_each_text_what_the_model_says_of_it_alone(full: Version) -> None:
    predictor = Predictor.load(full, engine="torch")
    assert predictor.batch_tokens == TorchEngine.batch_tokens
    answers = predictor.predict(TEXTS)
    for text, probabilities in zip(TEXTS, answers.probabilities, strict=True):
        assert probabilities == pytest.approx(_alone(full.folder, text), abs=1e-5)


def test_full_precision_is_checked_by_what_it_said_itself_however_far_quantised_weights_are_from_it(
    full: Version,
) -> None:
    said = _alone(full.folder, TEXTS[0])
    quantised = tuple(reversed(said))
    assert abs(said[0] - quantised[0]) > 0.1
    apart = _rewrite(full.folder, self_check=[SelfCheck(text=TEXTS[0], probabilities=quantised, full=said)])
    assert Predictor.load(apart, engine="torch").check_self() < 1e-5
    for record, allowed in ({"probabilities": said, "full": quantised}, 0.05), ({"probabilities": quantised}, 0.1):
        other = _rewrite(full.folder, self_check=[SelfCheck(text=TEXTS[0], **record)])
        with pytest.raises(ModelRejected, match=f"apart, allowed {allowed}"):
            Predictor.load(other, engine="torch")


def test_a_gpu_that_is_not_there_is_said_so(full: Version, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelRejected, match=r"device cuda does not exist.*classifier_gpus = 0"):
        Predictor.load(full, device="cuda")


def test_weights_that_do_not_fit_the_config_and_other_architectures_are_refused(full: Version) -> None:
    config = dataclasses.asdict(CONFIG)
    wider = _configured(full.folder, {"architecture": "encoder", **config, "hidden": 32})
    with pytest.raises(ModelRejected, match=r"head.weight is 3 x 16 here, but 3 x 32"):
        TorchEngine(wider, "cpu")
    other = _configured(full.folder, {"architecture": "lstm", **config})
    with pytest.raises(ModelRejected, match="does not describe a lstm model"):
        TorchEngine(other, "cpu")
    unknown = _configured(full.folder, {"architecture": "gpt", **config})
    with pytest.raises(ModelRejected, match="architecture 'gpt'; known are bert-gru, "):
        TorchEngine(unknown, "cpu")
