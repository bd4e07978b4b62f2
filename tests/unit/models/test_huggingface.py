"""Hugging Face models: BERT's kin become our encoder and say the same, others are wrapped, pickles are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the zoo needs the train extra")
transformers = pytest.importorskip("transformers", reason="the zoo needs the train extra")

from tokenizers import ByteLevelBPETokenizer  # noqa: E402

from sentiment.errors import InvalidInput, ModelRejected, NotFound, Unavailable  # noqa: E402
from sentiment.models.huggingface.checkpoint import as_bert, read_checkpoint, read_tokenizer  # noqa: E402
from sentiment.models.huggingface.finetuned import import_classifier  # noqa: E402
from sentiment.models.huggingface.hub import download, fetch  # noqa: E402
from sentiment.models.zoo import build, count_parameters, load_model, save_model  # noqa: E402
from tests.tiny_backbone import hub_classifier, tiny_tokenizer  # noqa: E402

KIN = ("bert", "roberta", "distilbert")
TEXTS = ("a good film", "bad", "love love love and so it goes on")
OUR_ORDER = [2, 1, 0]  # of the tiny classifiers' labels: positive, neutral, negative


def ids_of(text: str) -> torch.Tensor:
    return torch.tensor([tiny_tokenizer().encode(text).ids])


@pytest.mark.parametrize("kind", KIN)
def test_a_fine_tuned_classifier_says_after_the_import_what_it_said_before(kind, tmp_path):
    network = hub_classifier(kind, tmp_path)
    start = import_classifier(tmp_path).start
    assert start.architecture == "encoder"
    for text in TEXTS:
        ids = ids_of(text)
        with torch.no_grad():
            expected = network(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[:, OUR_ORDER]
            assert torch.allclose(start.model(ids, torch.ones_like(ids)), expected, atol=1e-5)
    save_model(start, tmp_path / "saved")
    assert load_model(tmp_path / "saved").config == start.config


@pytest.mark.parametrize("kind", KIN)
def test_an_encoder_to_fine_tune_gives_the_states_that_transformers_gives(kind, tmp_path):
    network = hub_classifier(kind, tmp_path).base_model
    start = build("hub", 2, backbone=str(tmp_path))
    assert start.architecture == "encoder"
    ids = torch.tensor([[2, 7, 9, 31, 3], [2, 30, 3, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    with torch.no_grad():
        expected = network(input_ids=ids, attention_mask=mask).last_hidden_state
        found = start.model.eval().hidden_states(ids, mask)
    assert len(found) == start.config.layers + 1
    assert torch.allclose(found[-1][mask > 0], expected[mask > 0], atol=1e-5)


def test_another_encoder_is_wrapped_saved_and_loaded_without_its_pretrained_files(tmp_path):
    network = hub_classifier("electra", tmp_path).base_model
    start = build("hub", 2, backbone=str(tmp_path), overrides={"trained": "head"})
    assert start.architecture == "hub"
    assert count_parameters(start.model).trained == 24 * 2 + 2
    assert not start.model.train().body.training
    save_model(start, tmp_path / "saved")
    (tmp_path / "model.safetensors").unlink()
    loaded = load_model(tmp_path / "saved", like=start)
    ids = ids_of(TEXTS[0])
    with torch.no_grad():
        states = network(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        expected = loaded.model.head(states.mean(dim=1))
        assert torch.allclose(loaded.model(ids, torch.ones_like(ids)), expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["albert", "mpnet"])
def test_every_parameter_of_a_wrapped_encoder_that_learns_gets_a_gradient_as_several_workers_need(tmp_path, kind):
    hub_classifier(kind, tmp_path)
    model = build("hub", 2, backbone=str(tmp_path)).model
    ids = ids_of(TEXTS[0])
    model(ids, torch.ones_like(ids)).sum().backward()
    assert not [name for name, part in model.named_parameters() if part.requires_grad and part.grad is None]


@pytest.mark.parametrize("field", ["labels", "vocabulary", "transformer", "positions"])
def test_what_a_wrapped_encoder_gives_cannot_be_chosen(tmp_path, field):
    hub_classifier("electra", tmp_path)
    with pytest.raises(InvalidInput, match=field) as caught:
        build("hub", 2, backbone=str(tmp_path), overrides={field: {} if field == "transformer" else 7000})
    assert caught.value.field == field


def test_a_model_that_is_not_berts_kin_is_no_start_for_our_encoder(tmp_path):
    hub_classifier("electra", tmp_path)
    with pytest.raises(ModelRejected, match=r"of type 'electra', whose encoder is not like BERT's.*preset `hub`"):
        build("bert-gru", 3, backbone=str(tmp_path))


def test_another_activation_is_not_taken_for_berts(tmp_path):
    hub_classifier("bert", tmp_path, hidden_act="relu")
    assert build("hub", 3, backbone=str(tmp_path)).architecture == "hub"
    assert import_classifier(tmp_path).start.architecture == "pretrained"


@pytest.mark.parametrize("kind", ["bert", "electra"])
def test_pickles_are_never_read(kind, tmp_path):
    network = hub_classifier(kind, tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(network.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelRejected, match="Only safetensors are read, since a pickle could run code"):
        build("hub", 3, backbone=str(tmp_path))


@pytest.mark.parametrize("kind", ["bert", "electra"])
def test_weights_of_another_model_than_the_config_says_are_refused(kind, tmp_path):
    hub_classifier(kind, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 5}))
    with pytest.raises(ModelRejected, match=r"has no tensor .*layer\.4"):
        build("hub", 3, backbone=str(tmp_path))


def test_code_that_a_config_names_is_not_run(tmp_path):
    hub_classifier("electra", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    strange = {**config, "model_type": "strange", "auto_map": {"AutoModel": "evil.Evil", "AutoConfig": "evil.Config"}}
    (tmp_path / "config.json").write_text(json.dumps(strange))
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(ModelRejected, match="'strange' without code from the model"):
        build("hub", 3, backbone=str(tmp_path))
    assert not (tmp_path / "ran").exists()


def test_shards_named_by_an_index_are_one_model(tmp_path):
    network = hub_classifier("roberta", tmp_path)
    whole = import_classifier(tmp_path).start
    (tmp_path / "model.safetensors").unlink()
    network.save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    ids = ids_of(TEXTS[0])
    again = import_classifier(tmp_path).start
    assert torch.equal(again.model(ids, torch.ones_like(ids)), whole.model(ids, torch.ones_like(ids)))


def test_the_oldest_names_of_layer_norms_are_known():
    tensors = {"bert.embeddings.LayerNorm.gamma": torch.ones(2), "bert.embeddings.LayerNorm.beta": torch.zeros(2)}
    assert set(as_bert(tensors, {"model_type": "bert"})) == {"embeddings.LayerNorm.weight", "embeddings.LayerNorm.bias"}


def test_a_tokenizer_is_made_from_the_vocabulary_and_merges_that_older_repositories_hold(tmp_path):
    trained = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained.train_from_iterator(["a good film, a bad film, I love films"] * 3, 300, 1, special_tokens=special)
    trained.save_model(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "roberta", "vocab_size": 300}))
    tokenizer = read_tokenizer(tmp_path)
    assert tokenizer.encode("a good film").tokens == ["<s>", "a", "Ġgood", "Ġfilm", "</s>"]


def test_a_folder_without_any_tokenizer_is_refused(tmp_path):
    hub_classifier("bert", tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "tokenizer_config.json").unlink(missing_ok=True)
    with pytest.raises(ModelRejected, match=r"has no tokenizer\.json and none of vocab\.txt"):
        read_checkpoint(tmp_path)


def test_an_encoder_without_a_head_is_no_classifier(tmp_path):
    network = hub_classifier("bert", tmp_path)
    network.base_model.save_pretrained(tmp_path)
    with pytest.raises(ModelRejected, match=r"classifier\.weight.*: it is not a classifier"):
        import_classifier(tmp_path)


def test_a_name_is_fetched_at_its_revision_and_a_folder_is_taken_as_it_is(tmp_path):
    asked = []

    def get(name: str, revision: str | None) -> Path:
        asked.append((name, revision))
        return tmp_path

    assert fetch(str(tmp_path), get=get) == tmp_path
    assert fetch("hf:owner/name", get=get) == fetch("owner/name@refs/pr/4", get=get) == tmp_path
    assert asked == [("owner/name", None), ("owner/name", "refs/pr/4")]
    with pytest.raises(InvalidInput, match="is not the name of a model"):
        fetch("hf:", get=get)


def test_a_hub_that_cannot_be_reached_and_a_name_that_cannot_be_are_told_apart(monkeypatch):
    import huggingface_hub

    def away(*args: object, **options: object) -> str:
        raise huggingface_hub.errors.LocalEntryNotFoundError("no connection\nand a long story")

    with pytest.raises(NotFound, match="nor a Hugging Face model 'no//such name'"):
        download("no//such name", None)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", away)
    with pytest.raises(
        Unavailable, match=r"'owner/name' cannot be downloaded .*: no connection\. Check the connection"
    ):
        download("owner/name", None)


def test_what_is_fetched_is_data_only(monkeypatch, tmp_path):
    import huggingface_hub

    asked = {}

    def fetched(name: str, **options: object) -> str:
        asked.update(options)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetched)
    assert download("owner/name", "main") == tmp_path
    assert asked["revision"] == "main"
    assert not any(pattern.endswith((".bin", ".py", ".pt", "*")) for pattern in asked["allow_patterns"])
