"""The vocabulary that is cut for the default model, and the encoder that starts from a larger one's rows."""

from __future__ import annotations

from collections import Counter

import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")
pytest.importorskip("tokenizers", reason="training needs the train extra")

from sentiment.models.architectures.encoder import (  # noqa: E402
    EncoderClassifier,
    EncoderConfig,
    encoder_state,
    load_body,
)
from sentiment.models.vocabulary import (  # noqa: E402
    SPECIAL_PIECES,
    build_tokenizer,
    count_pieces,
    emoji_name,
    select_emoji,
    select_pieces,
)

_LETTERS = [*"abcdefghijklmnopqrstuvwxyz!:(@[]'", *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")]
_PIECES = [*SPECIAL_PIECES, "[unused1]", *_LETTERS, "the", "love", "great", "zebra", "##ly", "日"]
_VOCABULARY = {piece: index for index, piece in enumerate(_PIECES)}
_EMOJI = ["😍", "👍", "❤"]


def _tokens(text: str) -> list[str]:
    tokens: list[str] = build_tokenizer([*_PIECES, *_EMOJI]).encode(text).tokens
    return tokens


def test_emoji_are_words_of_their_own_even_inside_a_word() -> None:
    assert _tokens("love😍the❤️") == ["[CLS]", "love", "😍", "the", "❤", "[SEP]"]


def test_skin_tones_and_letter_case_do_not_matter() -> None:
    assert _tokens("GREAT 👍🏽") == _tokens("great 👍")


def test_unknown_words_are_spelt_rather_than_lost() -> None:
    assert _tokens("bad") == ["[CLS]", "b", "##a", "##d", "[SEP]"]


def test_the_commonest_pieces_are_kept_in_the_order_of_their_old_ids() -> None:
    counts = [Counter({"zebra": 50, "the": 3}), Counter({"great": 5})]
    size = len(SPECIAL_PIECES) + len(_LETTERS) + 2
    kept = select_pieces(_VOCABULARY, counts, size, prior_weight=0.0)
    assert len(kept) == size
    assert {"zebra", "great"} < set(kept)
    assert not {"the", "love", "[unused1]", "日"} & set(kept)
    assert kept == sorted(kept, key=_VOCABULARY.__getitem__)


def test_a_small_corpus_has_as_much_say_as_a_large_one() -> None:
    counts = [Counter({"zebra": 1000, "love": 900}), Counter({"great": 3})]
    size = len(SPECIAL_PIECES) + len(_LETTERS) + 1
    assert "great" in select_pieces(_VOCABULARY, counts, size, prior_weight=0.0)


def test_emoji_of_the_texts_are_found_when_they_are_not_rare() -> None:
    chosen = select_emoji(["🦖 🦖🦖 and 🦕"])
    assert "🦖" in chosen
    assert "🦕" not in chosen
    assert "😍" in chosen
    assert emoji_name("😭") == "loudly crying face"


def test_counting_counts_pieces_without_the_special_ones() -> None:
    counts = count_pieces(build_tokenizer(_PIECES), ["the the love", "the"])
    assert counts == Counter({"the": 3, "love": 1})


def test_a_classifier_with_the_tensors_of_bert_computes_what_bert_computes() -> None:
    transformers = pytest.importorskip("transformers", reason="the reference is in the train extra")
    shape = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
    torch.manual_seed(5)
    bert = transformers.BertModel(transformers.BertConfig(vocab_size=40, max_position_embeddings=16, **shape)).eval()
    config = EncoderConfig(vocabulary=40, hidden=24, layers=2, heads=4, feed_forward=48, positions=16)
    model = EncoderClassifier(config).eval()
    load_body(model, encoder_state(bert.state_dict(), config.layers, config.positions))
    ids = torch.tensor([[2, 7, 9, 11, 3], [2, 30, 3, 0, 0]])
    mask = (ids > 0).long()
    with torch.no_grad():
        states = bert(input_ids=ids, attention_mask=mask).last_hidden_state
        mean = (states * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
        assert torch.allclose(model(ids, mask), model.head(mean), atol=1e-5)


def test_padding_changes_nothing() -> None:
    torch.manual_seed(2)
    model = EncoderClassifier(
        EncoderConfig(vocabulary=9, hidden=8, layers=2, heads=2, feed_forward=8, positions=6)
    ).eval()
    alone = model(torch.tensor([[2, 5, 3]]), torch.tensor([[1, 1, 1]]))
    padded = model(torch.tensor([[2, 5, 3, 0, 0]]), torch.tensor([[1, 1, 1, 0, 0]]))
    assert torch.allclose(alone, padded, atol=1e-6)
