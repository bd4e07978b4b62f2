"""Import of classifiers of several shapes: the logits of transformers, labels by any names, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="importing needs the train extra")
pytest.importorskip("transformers", reason="importing needs the train extra")

from safetensors.torch import load_file, save_file  # noqa: E402

from sentiment.datasets.label_spec import parse_labels  # noqa: E402
from sentiment.errors import InvalidInput, ModelRejected  # noqa: E402
from sentiment.export import export_onnx  # noqa: E402
from sentiment.models.finetuned import import_classifier  # noqa: E402
from sentiment.models.zoo import load_model, save_model  # noqa: E402
from sentiment.predictor import Predictor  # noqa: E402
from sentiment.predictor.batches import Padded  # noqa: E402
from sentiment.predictor.onnx_engine import OnnxEngine  # noqa: E402
from tests.tiny_backbone import hub_classifier, tiny_tokenizer  # noqa: E402
from train_jobs.import_model import import_model  # noqa: E402

#: Which architecture each becomes: our encoder where it is BERT's, else the network of transformers itself.
KINDS = {
    "bert": "encoder",
    "roberta": "encoder",
    "distilbert": "encoder",
    "xlm-roberta": "encoder",
    "camembert": "encoder",
    "deberta-v2": "pretrained",
    "electra": "pretrained",
    "albert": "pretrained",
}
DEBERTA = {
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
    "norm_rel_ebd": "layer_norm",
}
TEXTS = ("a good film", "bad", "love love love and so it goes on", "zzz !", "a " * 40)
STARS = {0: "1 star", 1: "2 stars", 2: "3 stars", 3: "4 stars", 4: "5 stars"}
MEANT = "1 star=negative,2 stars=negative,3 stars=neutral,4 stars=positive,5 stars=positive"
FIVE = {"id2label": STARS, "num_labels": 5}


def ids_of(text: str) -> Any:
    return torch.tensor([tiny_tokenizer().encode(text).ids])


def said(network: Any, text: str) -> Any:
    with torch.no_grad():
        return network(input_ids=ids_of(text), attention_mask=torch.ones_like(ids_of(text))).logits


def rewrite(folder: Path, change: Any) -> None:
    tensors = load_file(folder / "model.safetensors")
    save_file(change(tensors), folder / "model.safetensors", metadata={"format": "pt"})


def configure(folder: Path, **fields: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    kept = {name: value for name, value in {**config, **fields}.items() if value is not ...}
    (folder / "config.json").write_text(json.dumps(kept))


@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_those_of_transformers_in_network_and_graph(kind: str, tmp_path: Path) -> None:
    network = hub_classifier(kind, tmp_path, **(DEBERTA if kind == "deberta-v2" else {}))
    start = import_classifier(tmp_path).start
    assert start.architecture == KINDS[kind]
    export_onnx(start.model, tmp_path / "model.onnx")
    engine = OnnxEngine(tmp_path / "model.onnx")
    for text in TEXTS:
        expected, ids = said(network, text)[:, [2, 1, 0]], ids_of(text)
        with torch.no_grad():
            found = start.model(ids, torch.ones_like(ids))
        assert torch.allclose(found, expected, atol=1e-4)
        padded = torch.nn.functional.pad(ids, (0, 3)), torch.nn.functional.pad(torch.ones_like(ids), (0, 3))
        graph = engine.forward(Padded(*(part.numpy() for part in padded)))
        assert np.allclose(graph, expected.numpy(), atol=1e-4)


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta", "deberta-v2"])
def test_probabilities_of_stars_are_summed_by_label(kind: str, tmp_path: Path) -> None:
    network = hub_classifier(kind, tmp_path / "hub", **FIVE)
    version = import_model(str(tmp_path / "hub"), tmp_path / "version", labels=parse_labels(MEANT))
    assert version.manifest.name == "sentiment"
    assert "1 star = negative, 2 stars = negative, 3 stars = neutral" in (version.folder / "README.md").read_text()
    for engine, off in (("onnx", 1e-4), ("torch", 1e-4), ("onnx-int8", 0.1)):
        answers = Predictor.load(version, engine=engine, threads=1).predict(TEXTS[:4], gated=False)
        for text, found in zip(TEXTS, answers.probabilities, strict=False):
            shares = said(network, text).softmax(-1)[0].tolist()
            assert found == pytest.approx([sum(shares[:2]), shares[2], sum(shares[3:])], abs=off)


def test_a_summed_head_is_saved_and_loaded_as_it_is(tmp_path: Path) -> None:
    hub_classifier("distilbert", tmp_path / "hub", **FIVE)
    start = import_classifier(tmp_path / "hub", parse_labels(MEANT)).start
    save_model(start, tmp_path / "saved")
    loaded, ids = load_model(tmp_path / "saved", like=start), ids_of(TEXTS[0])
    with torch.no_grad():
        assert torch.equal(loaded.model(ids, torch.ones_like(ids)), start.model(ids, torch.ones_like(ids)))


@pytest.mark.parametrize("kind", ["bert", "deberta-v2"])
def test_weights_in_halves_are_widened_before_they_are_summed(kind: str, tmp_path: Path) -> None:
    network = hub_classifier(kind, tmp_path)
    rewrite(tmp_path, lambda tensors: {name: tensor.half() for name, tensor in tensors.items()})
    network.load_state_dict({name: tensor.half().float() for name, tensor in network.state_dict().items()})
    start, ids = import_classifier(tmp_path).start, ids_of(TEXTS[0])
    with torch.no_grad():
        found = start.model(ids, torch.ones_like(ids))
    assert torch.allclose(found, said(network, TEXTS[0])[:, [2, 1, 0]], atol=1e-4)


@pytest.mark.parametrize(("padding", "architecture"), [(0, "encoder"), (1, "pretrained")])
def test_roberta_reads_512_tokens_of_its_514_and_says_the_same_at_the_last(
    padding: int, architecture: str, tmp_path: Path
) -> None:
    # Id 1 is an ordinary piece of this tokenizer: transformers counts no position for it, which our encoder cannot.
    network = hub_classifier("roberta", tmp_path, pad_token_id=padding, max_position_embeddings=513 + padding)
    start = import_classifier(tmp_path).start
    assert (start.architecture, start.config.positions) == (architecture, 512)
    ids = torch.full((1, 512), 7)
    with torch.no_grad():
        expected = network(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[:, [2, 1, 0]]
        assert torch.allclose(start.model(ids, torch.ones_like(ids)), expected, atol=1e-4)


def test_a_config_that_leaves_out_what_is_the_default_is_read_as_transformers_reads_it(tmp_path: Path) -> None:
    network = hub_classifier("distilbert", tmp_path, n_layers=6, n_heads=12)
    configure(tmp_path, n_layers=..., n_heads=..., vocab_size=..., activation=...)
    start, ids = import_classifier(tmp_path).start, ids_of(TEXTS[0])
    with torch.no_grad():
        found = start.model(ids, torch.ones_like(ids))
    assert torch.allclose(found, said(network, TEXTS[0])[:, [2, 1, 0]], atol=1e-4)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"problem_type": "multi_label_classification"}, "several labels of a text, each yes or no by itself"),
        ({"problem_type": "regression"}, "a number, and no label"),
        ({"problem_type": "ranking"}, "something else than single_label_classification"),
        ({"function_to_apply": "sigmoid"}, "squashes each of its outputs by itself"),
        ({"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Sigmoid"}}, "activation_fn"),
        ({"id2label": {"0": "negative", "1": "positive"}}, "a head of 3 rows, and its config.json names 2 labels"),
        ({"id2label": {str(row): f"n{row}" for row in range(4)}}, "a head of 3 rows, and its config.json names 4"),
        ({"id2label": {"1": "negative", "2": "neutral", "3": "positive"}}, "by its number, from 0 on"),
        ({"id2label": {"0": "joy", "1": "anger", "2": "fear"}}, r"labels joy, anger, fear; this code knows negative,"),
        ({"id2label": {"0": "pos", "1": "positive", "2": "neg"}}, "answers with labels pos, positive, neg"),
        (
            {"label2id": {"positive": 2, "neutral": 1, "negative": 0}},
            "contradicts itself: id2label has 'positive' as 0",
        ),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantised weights"),
        ({"num_hidden_layers": 3}, "tensors of more layers than the 3 that its config.json says"),
        ({"num_hidden_layers": 5}, r"no tensor .*layer\.4"),
        ({"vocab_size": 50}, r"words\.weight is 63 x 24, by config\.json 50 x 24"),
        ({"intermediate_size": 40}, r"widen\.weight is 48 x 24, by config\.json 40 x 24"),
        ({"model_type": ...}, "names no model_type"),
        ({"architecture": "encoder"}, "holds a model of this platform"),
    ],
)
def test_what_a_config_says_of_something_else_is_refused(tmp_path: Path, fields: dict[str, Any], says: str) -> None:
    hub_classifier("bert", tmp_path)
    configure(tmp_path, **fields)
    with pytest.raises(ModelRejected, match=says) as caught:
        import_classifier(tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("kind", ["roberta", "deberta-v2"])
def test_a_regression_of_one_row_is_refused(kind: str, tmp_path: Path) -> None:
    hub_classifier(kind, tmp_path, num_labels=1, id2label={0: "score"})
    with pytest.raises(ModelRejected, match="a head of one row: it tells a number"):
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
            r"_orig_mod\. is what torch\.compile puts around.*or take _orig_mod\. out of the names",
        ),
        (lambda t: {n.replace("encoder.", "encoder._orig_mod."): v for n, v in t.items()}, "torch.compile"),
        (renamed("module."), r"module\. is what DataParallel puts around.*model\.module\.save_pretrained"),
        (renamed("base_model.model."), r"PEFT.*merge_and_unload"),
        (renamed("student."), "no classifier with a head"),
        (without("classifier"), "no classifier with a head"),
        (without("classifier.bias"), "no tensor .*classifier.bias"),
        (without("pooler"), "no tensor .*pooler"),
        (without("layer.2.attention.self.key.bias"), r"no tensor .*layer\.2\.attention\.self\.key\.bias"),
        (diverged, "classifier.bias holds infinite numbers"),
    ],
)
@pytest.mark.parametrize("kind", ["bert", "deberta-v2"])
def test_tensors_that_are_not_all_of_the_model_are_refused_by_name(
    kind: str, tmp_path: Path, change: Any, says: str
) -> None:
    hub_classifier(kind, tmp_path)
    rewrite(tmp_path, change)
    if kind == "deberta-v2" and "self.key.bias" in says.replace("\\", ""):
        rewrite(tmp_path, without("layer.2.attention.self.key_proj.bias"))
        says = r"no tensor .*layer\.2\.attention\.self\.key_proj\.bias"
    with pytest.raises(ModelRejected, match=says):
        import_classifier(tmp_path)


def test_an_adapter_alone_and_a_tokenizer_of_another_model_are_refused(tmp_path: Path) -> None:
    hub_classifier("bert", tmp_path / "other", vocab_size=40)
    with pytest.raises(ModelRejected, match=r"tokenizer\.json has 63 pieces, the model embeddings of 40"):
        import_classifier(tmp_path / "other")
    hub_classifier("bert", tmp_path / "adapter")
    (tmp_path / "adapter" / "model.safetensors").unlink()
    (tmp_path / "adapter" / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelRejected, match="holds an adapter alone"):
        import_classifier(tmp_path / "adapter")


@pytest.mark.parametrize(
    ("names", "spec", "rows"),
    [
        (["POSITIVE", "Neutral", " negative "], None, (2, 1, 0)),
        (["NEU", "POS", "NEG"], None, (1, 2, 0)),
        (["Negative", "Positive"], None, (0, 1)),
        (["LABEL_0", "LABEL_1", "LABEL_2"], "negative,neutral,positive", (0, 1, 2)),
        (["LABEL_0", "LABEL_1", "LABEL_2"], "label_0=pos,LABEL_1=neu,label_2=neg", (2, 1, 0)),
        (["LABEL_0", "LABEL_1", "LABEL_2"], "0=pos,1=neu,2=neg", (2, 1, 0)),
        (["joy, or so", "anger", "fear"], '"joy, or so=positive",anger=negative,FEAR=negative', (1, 0, 0)),
        (["1", "2", "3", "4", "5"], "1=negative,2=negative,3=neutral,4=positive,5=positive", (0, 0, 1, 2, 2)),
        (["no", "yes"], "positive,negative", (1, 0)),
    ],
)
def test_labels_mean_what_their_names_or_the_option_say(
    tmp_path: Path, names: list[str], spec: str | None, rows: tuple[int, ...]
) -> None:
    hub_classifier("bert", tmp_path, id2label=dict(enumerate(names)), num_labels=len(names))
    head = import_classifier(tmp_path, parse_labels(spec) if spec else None).head
    assert head.rows == rows


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (None, "answers with labels 1 star, 2 stars.*Say which of these.*--labels '1 star=negative"),
        ("negative,neutral,positive", r"are 3 labels; .* has 5 rows in its head \(1 star, 2 stars"),
        ("1 star=negative,5 stars=positive", "no meaning to 2 stars, 3 stars, 4 stars;"),
        (f"{MEANT},6 stars=positive", "a meaning to '6 stars', which no row has;"),
        ("0=negative,1=negative,2=neutral,3=positive,4=positive,5=positive", "a meaning to '0', which no row has;"),
        (MEANT.replace("=positive", "=neutral"), "stand for negative, neutral only; versions here tell"),
    ],
)
def test_an_option_that_does_not_fit_the_rows_names_them_and_the_users_folder(
    tmp_path: Path, spec: str | None, says: str
) -> None:
    hub_classifier("bert", tmp_path / "stars", **FIVE)
    with pytest.raises((InvalidInput, ModelRejected), match=says) as caught:
        import_model(str(tmp_path / "stars"), tmp_path / "out", labels=parse_labels(spec) if spec else None)
    assert str(tmp_path / "stars") in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_rows_without_names_are_meant_by_their_numbers(tmp_path: Path) -> None:
    hub_classifier("bert", tmp_path)
    configure(tmp_path, id2label=..., label2id=...)
    with pytest.raises(InvalidInput, match="does not say what its 3 labels mean"):
        import_classifier(tmp_path)
    assert import_classifier(tmp_path, parse_labels("2=negative,1=neutral,0=positive")).head.rows == (2, 1, 0)


def test_the_whole_file_is_read_where_shards_are_named_beside_it(tmp_path: Path) -> None:
    network = hub_classifier("bert", tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": {"a": "gone.safetensors"}}')
    start, ids = import_classifier(tmp_path).start, ids_of(TEXTS[0])
    with torch.no_grad():
        assert torch.allclose(start.model(ids, torch.ones_like(ids)), said(network, TEXTS[0])[:, [2, 1, 0]], atol=1e-4)
