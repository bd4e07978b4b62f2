"""Every model of the zoo is built, saved and loaded one way."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the zoo needs the train extra")
pytest.importorskip("transformers", reason="the zoo needs the train extra")


from sentiment.errors import InvalidInput  # noqa: E402
from sentiment.models.architectures.bert_gru import BertGruClassifier, BertGruConfig  # noqa: E402
from sentiment.models.architectures.cnn import CnnClassifier, CnnConfig  # noqa: E402
from sentiment.models.architectures.encoder import EncoderConfig  # noqa: E402
from sentiment.models.architectures.lstm import LstmClassifier, LstmConfig  # noqa: E402
from sentiment.models.huggingface.backbone import open_backbone, with_emoji, with_vocabulary  # noqa: E402
from sentiment.models.vectors import read_vectors  # noqa: E402
from sentiment.models.vocabulary import count_pieces  # noqa: E402
from sentiment.models.zoo import (  # noqa: E402
    ARCHITECTURES,
    ModelBundle,
    build,
    count_parameters,
    load_model,
    save_model,
)
from tests.tiny_backbone import own_backbone  # noqa: E402
from tests.tiny_zoo import SMALL, make  # noqa: E402

TEXTS = ["a good film", "bad", "x", "love love love, and so it goes on and on"]


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return own_backbone(tmp_path_factory.mktemp("backbone"))


def alone(start: ModelBundle, text: str) -> torch.Tensor:
    ids = torch.tensor([start.tokenizer.encode(text).ids])
    with torch.no_grad():
        return start.model(ids, torch.ones_like(ids))[0]


def together(start: ModelBundle, texts: list[str], spare: int) -> torch.Tensor:
    """Logits of one batch, padded `spare` tokens beyond the longest with a piece that means something."""
    rows = [start.tokenizer.encode(text).ids for text in texts]
    longest = max(map(len, rows)) + spare
    ids = torch.tensor([row + [9] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    with torch.no_grad():
        return start.model(ids, mask)


@pytest.mark.parametrize("labels", [2, 3])
@pytest.mark.parametrize("preset", SMALL)
def test_a_saved_model_says_after_loading_what_it_said_before(preset, labels, backbone, tmp_path):
    start = make(preset, backbone, labels)
    save_model(start, tmp_path / "model")
    loaded = load_model(tmp_path / "model", like=start)
    assert loaded.config == start.config
    assert loaded.architecture == start.architecture
    assert not loaded.model.training
    for text in TEXTS:
        assert alone(loaded, text).shape == (labels,)
        assert torch.equal(alone(loaded, text), alone(start, text))
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]


@pytest.mark.parametrize("preset", SMALL)
def test_padding_changes_nothing_however_much_there_is(preset, backbone):
    start = make(preset, backbone)
    expected = torch.stack([alone(start, text) for text in TEXTS])
    assert expected.std(dim=0).min() > 1e-4  # so that equal logits say something
    for spare in (0, 5):
        assert torch.allclose(together(start, TEXTS, spare), expected, atol=1e-5)


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_packed_sequences_give_what_the_network_gives_for_each_text_unpacked(pooling, backbone):
    start = make("lstm", backbone, pooling=pooling)
    model = start.model
    for text, found in zip(TEXTS, together(start, TEXTS, spare=4), strict=True):
        ids = torch.tensor([start.tokenizer.encode(text).ids])
        with torch.no_grad():
            outputs, (last, _) = model.lstm(model.words(ids))
            pooled = {
                "last": torch.cat([last[-2], last[-1]], dim=-1),
                "mean": outputs.mean(dim=1),
                "max": outputs.amax(dim=1),
            }
            assert torch.allclose(found, model.head(pooled[pooling])[0], atol=1e-6)


def test_a_convolution_is_the_one_of_the_paper_where_the_text_is_long_enough(backbone):
    model = make("cnn", backbone).model
    ids = torch.randint(5, 60, (2, 11), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        words = model.words(ids).transpose(1, 2)
        reference = [torch.relu(part(words)) for part in model.convolutions]
        for part, found in zip(reference, model.convolutions, strict=True):
            assert part.shape[-1] == 11 - found.kernel_size[0] + 1
        longest = torch.cat([part.amax(dim=-1) for part in reference], dim=-1)
        zeros = torch.nn.functional.pad(words, (0, 4))
        tails = torch.cat([torch.relu(part(zeros))[:, :, :11].amax(dim=-1) for part in model.convolutions], dim=-1)
        assert torch.allclose(model(ids, torch.ones_like(ids)), model.head(tails), atol=1e-6)
        assert (tails >= longest).all()


def test_the_shapes_of_the_original_systems_have_the_parameters_that_those_report():
    bert_base = EncoderConfig(30522, hidden=768, layers=12, heads=12, feed_forward=3072, positions=512)
    distilbert = EncoderConfig(30522, hidden=768, heads=12, feed_forward=3072, positions=512)
    with torch.device("meta"):
        lstm = count_parameters(LstmClassifier(LstmConfig(25002, labels=1)))
        cnn = count_parameters(CnnClassifier(CnnConfig(25002, labels=1)))
        served = count_parameters(CnnClassifier(CnnConfig(25002, labels=1, embedding=300)))
        bert_gru = count_parameters(BertGruClassifier(BertGruConfig(bert_base, labels=1)))
        distilbert_gru = count_parameters(BertGruClassifier(BertGruConfig(distilbert, labels=1)))
    assert (lstm.all, cnn.all, served.all) == (4_810_857, 2_620_801, 7_861_201)
    assert distilbert_gru.all == 69_122_049
    assert bert_gru.trained == distilbert_gru.trained == 2_759_169
    pooler, token_types = 768 * 768 + 768, 2 * 768  # which the original carries and does not use
    assert bert_gru.all == 112_241_409 - pooler - token_types


def test_words_can_start_from_a_file_of_vectors(tmp_path, backbone):
    path = tmp_path / "vectors.txt"
    path.write_text("4 3\ngood 1 2 3\nbad -1 -2 -3\n. . . 0.5 0.5 0.5\nfilm 0 1 0\n")
    ids = open_backbone(backbone).tokenizer.get_vocab()
    vectors = read_vectors(path, ids)
    assert vectors.shape == (len(ids), 3)
    assert vectors[[ids["good"], ids["film"]]].tolist() == [[1, 2, 3], [0, 1, 0]]
    assert vectors[ids["love"]].abs().sum() > 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("good 1 2\nbad 1\n", "line 2: it must have a word and 2 numbers"),
        ("good 1 x\n", "line 1: a vector must be numbers"),
        ("le 1 2\nla 1 2\n", "no vector for any of the 63 pieces"),
    ],
)
def test_a_file_that_holds_no_vectors_is_refused_by_its_line(content, message, tmp_path, backbone):
    (tmp_path / "vectors.txt").write_text(content)
    with pytest.raises(InvalidInput, match=message):
        read_vectors(tmp_path / "vectors.txt", open_backbone(backbone).tokenizer.get_vocab())


@pytest.mark.parametrize("preset", ["lstm", "cnn", "bert-gru", "student"])
def test_every_model_learns_to_tell_good_from_bad(preset, backbone):
    start = make(preset, backbone, 2)
    rows = [start.tokenizer.encode(text).ids for text in ("a good film", "good", "a bad film", "bad")]
    ids = torch.tensor([row + [0] * (5 - len(row)) for row in rows])
    labels = torch.tensor([1, 1, 0, 0])
    optimiser = torch.optim.Adam([part for part in start.model.parameters() if part.requires_grad], lr=1e-2)
    start.model.train()
    for _ in range(25):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(start.model(ids, (ids > 0).long()), labels).backward()
        optimiser.step()
    start.model.eval()
    assert torch.equal(start.model(ids, (ids > 0).long()).argmax(dim=-1), labels)


def test_of_a_bert_gru_only_gru_and_head_learn_and_the_encoder_drops_nothing_out(backbone):
    model = make("bert-gru", backbone).model.train()
    assert not model.encoder.training
    assert model.gru.training
    ids = torch.tensor([[2, 7, 3]])
    model(ids, torch.ones_like(ids)).sum().backward()
    learning = {name.split(".")[0] for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert learning == {"gru", "head"}
    assert count_parameters(model).trained == sum(
        parameter.numel() for part in (model.gru, model.head) for parameter in part.parameters()
    )


def test_the_head_alone_can_be_trained_in_the_shape_of_the_first_system(backbone):
    start = make("distilbert", backbone, head="relu", pooling="first", trained="head")
    model = start.model.train()
    assert not model.layers.training
    assert model.head_dropout.training
    width = start.config.hidden
    assert count_parameters(model).trained == (width * width + width) + (width * 3 + 3)


def test_an_encoder_can_leave_its_words_where_they_are(backbone):
    start = make("minilm", backbone, trained="layers")
    assert {name for name, part in start.model.named_parameters() if not part.requires_grad} == {"words.weight"}


def test_emoji_are_added_to_the_vocabulary_and_start_as_what_their_name_means(backbone):
    plain = open_backbone(backbone)
    found = with_emoji(plain)
    old, new = plain.tokenizer.encode("love film").ids, found.tokenizer.encode("love film").ids
    assert old == new
    [heart] = found.tokenizer.encode("❤", add_special_tokens=False).ids
    spelt = plain.tokenizer.encode("heavy black heart", add_special_tokens=False).ids
    assert torch.allclose(found.state["words.weight"][heart], plain.state["words.weight"][spelt].mean(dim=0))


def test_a_cut_vocabulary_keeps_the_embeddings_of_the_pieces_that_stay(backbone):
    whole = open_backbone(backbone)
    had = whole.tokenizer.get_vocab_size()
    cut = with_vocabulary(whole, had - 3, lambda tokenizer: [count_pieces(tokenizer, ["good film film"])])
    assert cut.config.vocabulary == cut.tokenizer.get_vocab_size() == had - 3
    assert cut.tokenizer.encode("love").tokens == ["[CLS]", "l", "##o", "##v", "##e", "[SEP]"]
    old, new = whole.tokenizer.encode("good film").ids, cut.tokenizer.encode("good film").ids
    assert torch.equal(cut.state["words.weight"][new], whole.state["words.weight"][old])


def test_an_unknown_preset_names_those_there_are():
    with pytest.raises(InvalidInput, match=r"'gpt'.*lstm, cnn, bert-gru, minilm, distilbert, hub, student"):
        build("gpt", 3)


@pytest.mark.parametrize(
    ("preset", "overrides", "message", "field"),
    [
        (
            "cnn",
            {"filter": 3},
            "CnnConfig has no field 'filter'; its fields are vocabulary, labels, embedding, filters",
            "filter",
        ),
        ("cnn", {"filters": "many"}, "CnnConfig: filters: must be a whole number, not 'many'", "filters"),
        ("cnn", {"sizes": [3, 0]}, "CnnConfig: sizes.1: must be 1 or more, not 0", "sizes.1"),
        ("lstm", {"dropout": 1.5}, "LstmConfig: dropout: .*less than 1", "dropout"),
        ("lstm", {"pooling": "median"}, "LstmConfig: pooling: .*'last', 'mean' or 'max'", "pooling"),
        ("lstm", {"embedding": 400}, "embedding is 400, but .* have 24 dimensions", "embedding"),
        ("minilm", {"hidden": 12}, "hidden cannot be set", "hidden"),
        ("minilm", {"positions": 1000}, "positions is 1000, but .* windows of 1 to 64 tokens", "positions"),
        ("student", {"layers": 5}, "layers is 5; .* has 4", "layers"),
        ("student", {"feed_forward": 49}, "feed_forward is 49; .* has 48", "feed_forward"),
        ("student", {"vocabulary": 999}, "vocabulary is 999; .* has 226", "vocabulary"),
        ("minilm", {"vocabulary": 0}, "vocabulary is 0; .* has 226", "vocabulary"),
        ("bert-gru", {"labels": 5}, "labels cannot be set", "labels"),
    ],
)
def test_an_override_that_cannot_be_is_refused_by_its_name(preset, overrides, message, field, backbone):
    with pytest.raises(InvalidInput, match=message) as refused:
        build(preset, 3, backbone=str(backbone), overrides=overrides)
    assert refused.value.field == field


def test_every_architecture_names_itself_in_the_zoo():
    assert set(ARCHITECTURES) == {"lstm", "cnn", "bert-gru", "encoder", "hub", "pretrained"}
    assert all(part.config.__dataclass_params__.frozen for part in ARCHITECTURES.values())
