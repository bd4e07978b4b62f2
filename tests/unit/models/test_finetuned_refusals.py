"""What is no classifier of one label a text, or not all of one, is refused by name before anything is made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="importing needs the train extra")
pytest.importorskip("transformers", reason="importing needs the train extra")

from sentiment.errors import ModelRejected
from sentiment.models.huggingface.finetuned import import_classifier
from tests.tiny_backbone import configure, hub_classifier, rewrite_tensors


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"problem_type": "multi_label_classification"}, "several independent labels"),
        ({"problem_type": "regression"}, "a number and not a label"),
        ({"problem_type": "ranking"}, "something else than single_label_classification"),
        ({"function_to_apply": "sigmoid"}, "has a sigmoid after each output"),
        ({"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Sigmoid"}}, "activation_fn"),
        ({"id2label": {"0": "negative", "1": "positive"}}, "a head of 3 rows, but its config.json names 2 labels"),
        ({"id2label": {str(row): f"n{row}" for row in range(4)}}, "a head of 3 rows, but its config.json names 4"),
        ({"id2label": {"1": "negative", "2": "neutral", "3": "positive"}}, "a name for each row of the head: 0, 1, 2"),
        (
            {"id2label": {"0": "joy", "1": "anger", "2": "fear"}},
            r"labels joy, anger, fear, but a version here needs negative,",
        ),
        ({"id2label": {"0": "pos", "1": "positive", "2": "neg"}}, "has the labels pos, positive, neg"),
        (
            {"label2id": {"positive": 2, "neutral": 1, "negative": 0}},
            "contradicts itself: id2label has 'positive' as 0",
        ),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantised weights"),
        ({"num_hidden_layers": 3}, "tensors of more layers than the 3 of its config.json"),
        ({"num_hidden_layers": 5}, r"no tensor .*layer\.4"),
        ({"vocab_size": 50}, r"words\.weight is 63 x 24, but its config\.json says 50 x 24"),
        ({"intermediate_size": 40}, r"widen\.weight is 48 x 24, but its config\.json says 40 x 24"),
        ({"model_type": ...}, "has no model_type"),
        ({"model_type": "unheard"}, "cannot build a classifier of model_type 'unheard' without code from the model"),
        ({"hidden_size": "wide"}, "does not describe a bert: .*hidden"),
        (
            {"num_attention_heads": 5},
            "does not describe a bert: .*hidden is 24; it must be a multiple of heads, which is 5",
        ),
        ({"id2label": ["negative", "positive"]}, "must have a name for each row of the head"),
        ({"architecture": "encoder"}, "holds a model of this platform"),
    ],
)
def test_what_a_config_says_of_something_else_is_refused(tmp_path: Path, fields: dict[str, Any], says: str) -> None:
    hub_classifier("bert", tmp_path)
    configure(tmp_path, **fields)
    with pytest.raises(ModelRejected, match=says) as caught:
        import_classifier(tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("roberta", {"pad_token_id": "x"}),
        ("deberta-v2", {"hidden_size": "wide"}),
        ("deberta-v2", {"vocab_size": "many"}),
        ("deberta-v2", {"vocab_size": 50}),
        ("deberta-v2", {"num_hidden_layers": 3}),
        ("deberta-v2", {"max_position_embeddings": 2000}),
    ],
)
def test_a_config_of_other_values_than_a_model_has_is_refused(
    kind: str, tmp_path: Path, fields: dict[str, Any]
) -> None:
    hub_classifier(kind, tmp_path)
    configure(tmp_path, **fields)
    with pytest.raises(ModelRejected, match=str(tmp_path)):
        import_classifier(tmp_path)


@pytest.mark.parametrize("kind", ["roberta", "deberta-v2"])
def test_a_regression_of_one_row_is_refused(kind: str, tmp_path: Path) -> None:
    hub_classifier(kind, tmp_path, num_labels=1, id2label={0: "score"})
    with pytest.raises(ModelRejected, match="a head of one row: it predicts a number"):
        import_classifier(tmp_path)


def renamed(prefix: str) -> Any:
    return lambda tensors: {f"{prefix}{name}": tensor for name, tensor in tensors.items()}


def without(part: str) -> Any:
    return lambda tensors: {name: tensor for name, tensor in tensors.items() if part not in name}


def diverged(tensors: dict[str, Any]) -> dict[str, Any]:
    return tensors | {"classifier.bias": tensors["classifier.bias"] * float("nan")}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            renamed("_orig_mod."),
            r"_orig_mod, a wrapper of torch\.compile: .*or remove _orig_mod\. from the names",
        ),
        (lambda t: {n.replace("encoder.", "encoder._orig_mod."): v for n, v in t.items()}, "torch.compile"),
        (renamed("module."), r"contain module, a wrapper of DataParallel: save model\.module\.save_pretrained"),
        (renamed("base_model.model."), r"PEFT.*merge_and_unload"),
        (renamed("student."), "it is not a classifier"),
        (without("classifier"), "it is not a classifier"),
        (without("classifier.bias"), "no tensor .*classifier.bias"),
        (without("pooler"), "no tensor .*pooler"),
        (without("layer.2.attention.self.key.bias"), r"no tensor .*layer\.2\.attention\.self\.key\.bias"),
        (diverged, "classifier.bias has infinite or NaN values"),
    ],
)
@pytest.mark.parametrize("kind", ["bert", "deberta-v2"])
def test_tensors_that_are_not_all_of_the_model_are_refused_by_name(
    kind: str, tmp_path: Path, change: Any, says: str
) -> None:
    hub_classifier(kind, tmp_path)
    rewrite_tensors(tmp_path, change)
    if kind == "deberta-v2" and "self.key.bias" in says.replace("\\", ""):
        rewrite_tensors(tmp_path, without("layer.2.attention.self.key_proj.bias"))
        says = r"no tensor .*layer\.2\.attention\.self\.key_proj\.bias"
    with pytest.raises(ModelRejected, match=says):
        import_classifier(tmp_path)


def test_an_adapter_alone_and_a_tokenizer_of_another_model_are_refused(tmp_path: Path) -> None:
    hub_classifier("bert", tmp_path / "other", vocab_size=40)
    with pytest.raises(ModelRejected, match=r"tokenizer\.json has 63 pieces, but the model has embeddings of 40"):
        import_classifier(tmp_path / "other")
    hub_classifier("bert", tmp_path / "adapter")
    (tmp_path / "adapter" / "model.safetensors").unlink()
    (tmp_path / "adapter" / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelRejected, match="holds an adapter alone"):
        import_classifier(tmp_path / "adapter")
