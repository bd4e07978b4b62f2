"""Import of classifiers of several shapes: the logits of transformers, labels by any names, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="importing needs the train extra")
pytest.importorskip("transformers", reason="importing needs the train extra")

from sentiment.datasets.source.label_spec import parse_labels  # noqa: E402
from sentiment.errors import InvalidInput, ModelRejected  # noqa: E402
from sentiment.models.huggingface.finetuned import import_classifier  # noqa: E402
from sentiment.models.zoo import load_model, save_model  # noqa: E402
from sentiment.predictor import Predictor  # noqa: E402
from sentiment.predictor.batches import Padded  # noqa: E402
from sentiment.predictor.onnx_engine import OnnxEngine  # noqa: E402
from sentiment.training.export import export_onnx  # noqa: E402
from tests.tiny_backbone import configure, hub_classifier, rewrite_tensors, tiny_tokenizer  # noqa: E402
from train_jobs.versions.import_model import import_model  # noqa: E402

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
    rewrite_tensors(tmp_path, lambda tensors: {name: tensor.half() for name, tensor in tensors.items()})
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
        (["NEG", "neutral", "Positive"], "negative,neutral,positive", (0, 1, 2)),
        (["negative", "neutral", "positive"], "negative=positive,neutral=neutral,positive=negative", (2, 1, 0)),
        (["negative", "neutral", "positive"], "0=positive,1=neutral,2=negative", (2, 1, 0)),
        (["LABEL_0", "mixed", "positive"], "negative,neutral,positive", (0, 1, 2)),
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
        (None, "has the labels 1 star, 2 stars.*Say which of these.*--labels '1 star=negative"),
        ("negative,neutral,positive", r"are 3 labels, but .* has 5 rows in its head \(1 star, 2 stars"),
        ("1 star=negative,5 stars=positive", "no label to 2 stars, 3 stars, 4 stars:"),
        (f"{MEANT},6 stars=positive", "a label to '6 stars', which is not a row:"),
        ("0=negative,1=negative,2=neutral,3=positive,4=positive,5=positive", "a label to '0', which is not a row:"),
        (MEANT.replace("=positive", "=neutral"), "mean negative, neutral only; a version here needs"),
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


@pytest.mark.parametrize(
    ("names", "spec"),
    [
        (["negative", "neutral", "positive"], "positive,neutral,negative"),
        (["NEG", "NEU", "POS"], "neutral,negative,positive"),
        (["LABEL_0", "LABEL_1", "Positive"], "positive,neutral,negative"),
        (["NEGATIVE", "POSITIVE"], "positive,negative"),
    ],
)
def test_labels_in_an_order_that_the_names_contradict_are_refused_unless_said_by_name(
    tmp_path: Path, names: list[str], spec: str
) -> None:
    hub_classifier("bert", tmp_path, id2label=dict(enumerate(names)), num_labels=len(names))
    with pytest.raises(InvalidInput, match=f"id2label has {', '.join(names)}") as caught:
        import_classifier(tmp_path, parse_labels(spec))
    assert caught.value.field == "labels"
    surely = str(caught.value).split("--labels '")[1].split("'")[0]
    head = import_classifier(tmp_path, parse_labels(surely)).head
    assert [head.labels[row] for row in head.rows] == spec.split(",")


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
