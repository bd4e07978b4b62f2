"""Models that read few tokens become versions with windows that fit; tables of other lengths are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="importing needs the train extra")
pytest.importorskip("transformers", reason="importing needs the train extra")

from sentiment.errors import ModelRejected  # noqa: E402
from sentiment.models.huggingface.finetuned import import_classifier  # noqa: E402
from sentiment.models.huggingface.hub import tokenizer_of_transformers  # noqa: E402
from sentiment.models.huggingface.pretrained import PretrainedClassifier, PretrainedConfig, _positions  # noqa: E402
from sentiment.predictor import Predictor  # noqa: E402
from sentiment.training.export import export_onnx, onnx_probabilities  # noqa: E402
from tests.tiny_backbone import configure, hub_classifier, tiny_tokenizer  # noqa: E402
from train_jobs.versions.import_model import import_model  # noqa: E402

LONG = "love film " * 60


@pytest.mark.parametrize(
    ("kind", "positions", "window"),
    [("bert", 32, 32), ("bert", 8, 8), ("distilbert", 11, 11), ("roberta", 33, 32), ("electra", 20, 20)],
)
def test_a_model_of_few_positions_is_imported_with_windows_that_fit_it(
    kind: str, positions: int, window: int, tmp_path: Path
) -> None:
    hub_classifier(kind, tmp_path / "hub", max_position_embeddings=positions)
    version = import_model(str(tmp_path / "hub"), tmp_path / "version")
    assert version.manifest.window_tokens == window
    tokenizer = tiny_tokenizer()
    assert all(len(tokenizer.encode(check.text).ids) <= window for check in version.manifest.self_check)
    assert all(check.text for check in version.manifest.self_check)
    for engine in ("onnx", "onnx-int8", "torch"):
        predictor = Predictor.load(version, engine=engine, threads=1)
        predictor.warm_up()
        assert predictor.predict([LONG], gated=False).errors == {}


@pytest.mark.parametrize(
    ("kind", "said"), [("bert", 512), ("bert", 32), ("distilbert", 512), ("roberta", 514), ("electra", 512)]
)
def test_a_table_of_another_length_than_the_config_says_is_refused(kind: str, said: int, tmp_path: Path) -> None:
    hub_classifier(kind, tmp_path)
    configure(tmp_path, max_position_embeddings=said)
    with pytest.raises(ModelRejected, match=rf"position_embeddings\.weight .*66.*{said}.*not of one model") as caught:
        import_classifier(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_config_that_says_no_length_has_that_of_its_table(tmp_path: Path) -> None:
    hub_classifier("bert", tmp_path)
    configure(tmp_path, max_position_embeddings=...)
    assert import_classifier(tmp_path).start.config.positions == 66


@pytest.mark.parametrize(("kind", "positions"), [("bert", 7), ("roberta", 8)])
def test_a_model_that_reads_fewer_tokens_than_a_window_has_is_refused(
    kind: str, positions: int, tmp_path: Path
) -> None:
    hub_classifier(kind, tmp_path, max_position_embeddings=positions)
    with pytest.raises(ModelRejected, match="reads at most 7 tokens, but a version needs windows of at least 8"):
        import_classifier(tmp_path)


def test_a_network_whose_table_has_another_name_is_tried_for_what_it_reads() -> None:
    origin = {"model_type": "gpt2", "vocab_size": 30, "n_embd": 8, "n_layer": 1, "n_head": 1, "n_positions": 40}
    model = PretrainedClassifier(PretrainedConfig(30, transformer={**origin, "pad_token_id": 0})).eval()
    assert _positions(model, model.config.transformer) == 40


def test_what_the_runtime_says_of_a_text_that_is_too_long_is_a_refusal(tmp_path: Path) -> None:
    hub_classifier("bert", tmp_path, max_position_embeddings=16)
    start = import_classifier(tmp_path).start
    export_onnx(start.model, tmp_path / "model.onnx")
    with pytest.raises(ModelRejected, match=r"model\.onnx of this network cannot be run by ONNX Runtime"):
        onnx_probabilities(tmp_path / "model.onnx", start.tokenizer, [LONG])
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(ModelRejected, match=r"model\.onnx of this network cannot be run by ONNX Runtime"):
        onnx_probabilities(tmp_path / "model.onnx", start.tokenizer, ["love"])


def test_a_network_that_cannot_be_exported_is_refused_in_one_line(tmp_path: Path) -> None:
    class Inverse(torch.nn.Module):
        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            return torch.linalg.eigvals(input_ids.float().T @ attention_mask.float()).real[None, :3]

    with pytest.raises(ModelRejected, match=r"model\.onnx of this network cannot be exported") as caught:
        export_onnx(Inverse(), tmp_path / "model.onnx")
    assert "\n" not in str(caught.value)


def test_why_a_tokenizer_config_is_passed_over_is_told_to_its_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hub_classifier("bert", tmp_path)
    configure(tmp_path, hidden_size="24")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 64}))
    assert tokenizer_of_transformers(tmp_path) is None
    assert "'hidden_size' expected int, got str" in caplog.text
