"""A version folder of a few kilobytes that answers sensibly: kind words are positive, harsh ones negative."""

from __future__ import annotations

import json
import string
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from sentiment.labels import LABEL_SETS
from sentiment.version import ENGINE_FILES, Manifest, SelfCheck, file_facts, write_manifest

POSITIVE_WORDS: Final = ("good", "love", "great", "happy", "excellent", "thanks", "wonderful", "best", "nice", "like")
NEGATIVE_WORDS: Final = ("bad", "hate", "terrible", "sad", "awful", "worst", "horrible", "broken", "angry", "poor")
PLAIN_WORDS: Final = (
    "the",
    "a",
    "is",
    "it",
    "this",
    "i",
    "was",
    "and",
    "phone",
    "day",
    "train",
    "at",
    "on",
    "user",
    "http",
)

_SPECIAL: Final = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_PULL: Final = 20.0  # of one word; the mean over a text of five pieces makes logits of four
_NEUTRAL_BIAS: Final = 1.0
_CHECKED: Final = ("i love this phone", "the worst day", "the train is at 10")


def build_tiny_version(
    folder: Path,
    *,
    version_marker: str = "1",
    crash_word: str = "",
    nan_word: str = "",
    deadly_word: str = "",
    swapped_word: str = "",
    slow_passes: int = 0,
    name: str = "sentiment",
) -> Path:
    """Write a valid version with the engine `onnx-int8` into `folder` and return it.

    Another `version_marker` makes another digest. A text with `crash_word` makes the engine raise, for the whole batch;
    one with `nan_word` gets logits that are not numbers, one with `deadly_word` divides the least whole number by -1,
    which ends the process (SIGFPE on x86: the runtime looks at divisions by zero only). `swapped_word`, one of the kind
    or harsh ones, pulls the other way. `slow_passes` multiplies matrices of 512 by 512 so often, for nothing but the
    time that it takes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    extra = [word for word in (nan_word, deadly_word, crash_word) if word]
    tokenizer = _tokenizer([*_SPECIAL, *_pieces(), *extra])
    table = _pulls(tokenizer, LABEL_SETS[name], nan_word)
    if swapped_word:
        table[tokenizer.token_to_id(swapped_word)] *= -1
    deadly_id = tokenizer.token_to_id(deadly_word) if deadly_word else -1
    rows = table[:-1] if crash_word else table  # its id, the last, is then beyond the table
    tokenizer.save(str(folder / "tokenizer.json"))
    onnx.save(_graph(rows, _bias(LABEL_SETS[name]), slow_passes, deadly_id), folder / ENGINE_FILES["onnx-int8"])
    (folder / "config.json").write_text(json.dumps({"architecture": "mean of words"}))
    (folder / "README.md").write_text(f"# Tiny model {version_marker}\n")
    write_manifest(
        folder, _manifest(folder, name, version_marker, [_check(tokenizer, table, text, name) for text in _CHECKED])
    )
    return folder


def _pieces() -> list[str]:
    letters = string.ascii_lowercase + string.digits + string.punctuation
    spelt = [piece for letter in letters for piece in (letter, f"##{letter}")]
    return list(dict.fromkeys([*spelt, *POSITIVE_WORDS, *NEGATIVE_WORDS, *PLAIN_WORDS]))


def _tokenizer(pieces: Sequence[str]) -> Tokenizer:
    ids = {piece: place for place, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(piece, ids[piece]) for piece in ("[CLS]", "[SEP]")]
    )
    return tokenizer


def _pulls(tokenizer: Tokenizer, labels: Sequence[str], nan_word: str) -> NDArray[np.float32]:
    table = np.zeros((tokenizer.get_vocab_size(), len(labels)), dtype=np.float32)
    for words, pull in ((POSITIVE_WORDS, _PULL), (NEGATIVE_WORDS, -_PULL)):
        for word in words:
            table[tokenizer.token_to_id(word), [0, -1]] = -pull, pull
    if nan_word:
        table[tokenizer.token_to_id(nan_word)] = np.nan
    return table


def _bias(labels: Sequence[str]) -> NDArray[np.float32]:
    return np.array([_NEUTRAL_BIAS * (label == "neutral") for label in labels], dtype=np.float32)


def _graph(table: NDArray[np.float32], bias: NDArray[np.float32], slow_passes: int, deadly_id: int) -> onnx.ModelProto:
    deaths, read = _death(deadly_id)
    delays, delay_weights = _delay(slow_passes)
    nodes = [
        *deaths,
        helper.make_node("Gather", ["table", read], ["pulls"]),
        helper.make_node("Cast", ["attention_mask"], ["weights"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["weights", "last"], ["column"]),
        helper.make_node("Mul", ["pulls", "column"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "tokens"], ["total"], keepdims=0),
        helper.make_node("ReduceSum", ["weights", "tokens"], ["count"], keepdims=1),
        helper.make_node("Div", ["total", "count"], ["mean"]),
        *delays,
        helper.make_node("Add", ["mean", "bias" if not slow_passes else "late"], ["logits"]),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(bias)])
    constants = {"table": table, "bias": bias, "last": np.array([2]), "tokens": np.array([1]), **delay_weights}
    if deaths:
        constants |= {"deadly": np.array([deadly_id]), "one": np.array([1]), "least": np.array([-(2**63)])}
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, [output], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _death(deadly_id: int) -> tuple[list[onnx.NodeProto], str]:
    """Return nodes that divide each id by 1, and the least number by -1 in place of the deadly one; what they make."""
    if deadly_id < 0:
        return [], "input_ids"
    nodes = [
        helper.make_node("Equal", ["input_ids", "deadly"], ["is_deadly"]),
        helper.make_node("Cast", ["is_deadly"], ["deaths"], to=TensorProto.INT64),
        helper.make_node("Add", ["deaths", "deaths"], ["twice"]),
        helper.make_node("Sub", ["one", "twice"], ["divisor"]),
        helper.make_node("Where", ["is_deadly", "least", "input_ids"], ["divided"]),
        helper.make_node("Div", ["divided", "divisor"], ["survived"]),
    ]
    return nodes, "survived"


def _delay(passes: int) -> tuple[list[onnx.NodeProto], dict[str, NDArray[np.float32]]]:
    """Return nodes that make `late` of `bias`: the same, after so many products that hang on the input."""
    if not passes:
        return [], {}
    starts = [
        helper.make_node("ReduceSum", ["count"], ["texts"], keepdims=0),
        helper.make_node("Mul", ["square", "texts"], ["product0"]),
    ]
    products = [
        helper.make_node("MatMul", [f"product{place}", "square"], [f"product{place + 1}"]) for place in range(passes)
    ]
    ends = [
        helper.make_node("ReduceSum", [f"product{passes}"], ["nothing"], keepdims=0),
        helper.make_node("Add", ["bias", "nothing"], ["late"]),
    ]
    return [*starts, *products, *ends], {"square": np.zeros((512, 512), dtype=np.float32)}


def _check(tokenizer: Tokenizer, table: NDArray[np.float32], text: str, name: str) -> SelfCheck:
    logits = table[tokenizer.encode(text).ids].mean(axis=0) + _bias(LABEL_SETS[name])
    exponents = np.exp(logits - logits.max())
    return SelfCheck(text=text, probabilities=tuple((exponents / exponents.sum()).tolist()))


def _manifest(folder: Path, name: str, marker: str, checks: Sequence[SelfCheck]) -> Manifest:
    return Manifest(
        name=name,
        labels=LABEL_SETS[name],
        engines={"onnx-int8": ENGINE_FILES["onnx-int8"]},
        files=file_facts(folder),
        normalizer="1",
        window_tokens=32,
        window_overlap_tokens=4,
        max_windows=3,
        temperature={"onnx-int8": 1.0},
        self_check=tuple(checks),
        dataset={"name": "none", "marker": marker},
        metrics={"tweeteval_test_macro_recall": 0.5},
        created_at=datetime(2026, 11, 21, tzinfo=UTC),
    )
