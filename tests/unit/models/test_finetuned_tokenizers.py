"""Tokenizers of imported classifiers: what transformers makes of their files, or none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="importing needs the train extra")
transformers = pytest.importorskip("transformers", reason="importing needs the train extra")

from sentiment.errors import ModelRejected  # noqa: E402
from sentiment.models.huggingface.finetuned import import_classifier  # noqa: E402
from tests.tiny_backbone import hub_classifier, tiny_tokenizer  # noqa: E402


@pytest.mark.parametrize("settings", [{"do_lower_case": False}, {"do_lower_case": True}, {"strip_accents": False}])
def test_a_text_is_cut_as_transformers_cuts_it_by_tokenizer_config(tmp_path: Path, settings: dict[str, bool]) -> None:
    hub_classifier("bert", tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer", **settings}))
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    ours = import_classifier(tmp_path).start.tokenizer
    for text in ("good FILM", "lové", "a good film"):
        assert ours.encode(text).ids == theirs(text)["input_ids"]


def test_a_tokenizer_config_that_names_code_or_an_unknown_kind_leaves_the_tokenizer_as_it_is(tmp_path: Path) -> None:
    hub_classifier("bert", tmp_path)
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    named = {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(named))
    assert import_classifier(tmp_path).start.tokenizer.encode("good").ids == tiny_tokenizer().encode("good").ids
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["spm.model", "sentencepiece.bpe.model", "spiece.model", "tokenizer.model"])
@pytest.mark.parametrize("kind", ["deberta-v2", "xlm-roberta"])
def test_a_vocabulary_that_cannot_be_read_makes_no_empty_tokenizer(tmp_path: Path, kind: str, name: str) -> None:
    hub_classifier(kind, tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / name).write_bytes(b"nothing that sentencepiece reads")
    with pytest.raises(ModelRejected, match=r"has no tokenizer\.json.* Save it with tokenizer\.json"):
        import_classifier(tmp_path)


def test_a_vocabulary_of_word_pieces_makes_the_same_tokenizer(tmp_path: Path) -> None:
    hub_classifier("bert", tmp_path)
    pieces = tiny_tokenizer().get_vocab()
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "vocab.txt").write_text("\n".join(sorted(pieces, key=pieces.__getitem__)))
    assert (
        import_classifier(tmp_path).start.tokenizer.encode("Good film").ids == tiny_tokenizer().encode("good film").ids
    )
