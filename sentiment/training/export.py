"""From a trained model to ONNX: export, quantisation to 8 bits, and the comparison of both."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Tokenizer
from torch import nn

from sentiment.errors import ModelRejected
from sentiment.models.zoo import ModelBundle, save_model
from sentiment.predictor.onnx_engine import open_session
from sentiment.validation_messages import in_one_line
from sentiment.version import ENGINE_FILES

_LOG = logging.getLogger(__name__)
_OPSET: Final = 17
_INPUTS: Final = ["input_ids", "attention_mask"]
_OTHER_SHAPES: Final = ((9, 1, 4), (2,), (3, 12))
_PROBED_PIECES: Final = 7
_LONGEST_PROBE: Final = max(map(max, _OTHER_SHAPES))
_MOST_OFF: Final = 1e-3
_LARGEST_BYTE: Final = 127.0
_TINY: Final = 1e-12
_AXES: Final = {name: {0: "batch", 1: "tokens"} for name in _INPUTS} | {"logits": {0: "batch"}}

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """How far two engines of one model agree on the same texts."""

    texts: int
    same_label: float
    """Share of the texts to which both give the same label."""
    largest_difference: float
    """Of any probability."""


def export_engines(start: ModelBundle, folder: Path) -> None:
    """Write the files of a full version without manifest and card: config, tokenizer, weights, both ONNX engines.

    Raises:
        ModelRejected: the network cannot be exported, quantised or run as ONNX.
    """
    save_model(start, folder)
    export_onnx(start.model, folder / ENGINE_FILES["onnx"], start.config.positions)
    with _refused(folder / ENGINE_FILES["onnx-int8"], "quantised for"):
        quantize_int8(folder / ENGINE_FILES["onnx"], folder / ENGINE_FILES["onnx-int8"])


def export_onnx(model: nn.Module, target: Path, longest: int = _LONGEST_PROBE) -> None:
    """Write `model`, which reads at most `longest` tokens, as ONNX with dynamic batch size and length.

    Inputs `input_ids` and `attention_mask`, int64 [batch, tokens]; output `logits`, float32 [batch, labels].

    Raises:
        ModelRejected: the network cannot be exported or run, or the graph's logits differ from the network's.
    """
    model.eval()
    with _refused(target, "exported for"):
        _trace(model, target)
        _require_same(model, target, longest)


def _trace(model: nn.Module, target: Path) -> None:
    sample = torch.tensor([[2, 5, 6, 3, 0]])
    with warnings.catch_warnings():
        # The newer exporter writes a larger graph with the same results. The older one also warns of values that
        # tracing may have frozen; `_require_same` looks for those in the results.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (sample, (sample > 0).long()),
            str(target),
            dynamo=False,
            opset_version=_OPSET,
            input_names=_INPUTS,
            output_names=["logits"],
            dynamic_axes=_AXES,
        )


def _require_same(model: nn.Module, graph: Path, longest: int) -> None:
    """Compare graph and network on batches of other shapes than the traced one, with and without padding."""
    session = open_session(graph)
    for shape in _OTHER_SHAPES:
        lengths = [min(length, longest) for length in shape]
        mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
        ids = mask * (torch.arange(mask.numel()).reshape(mask.shape) % _PROBED_PIECES + 1)
        with torch.no_grad():
            expected = model(ids, mask).numpy()
        actual = session.run(None, dict(zip(_INPUTS, (ids.numpy(), mask.numpy()), strict=True)))[0]
        difference = float(np.abs(actual - expected).max())
        if not difference <= _MOST_OFF * max(float(np.abs(expected).max()), 1.0):
            raise ModelRejected(
                f"{graph}: the logits of the exported graph differ from the network's by {difference:.2g} for a batch "
                f"of {len(lengths)}; this network cannot be served as ONNX, only with engine torch"
            )


@contextmanager
def _refused(graph: Path, what: str) -> Iterator[None]:
    """Translate errors of torch's exporter and ONNX Runtime, which have no public base class, into ModelRejected."""
    try:
        yield
    except (ModelRejected, OSError, MemoryError):  # a full disk is not the model's fault
        raise
    except Exception as exc:
        raise ModelRejected(
            f"{graph.name} of this network cannot be {what} ONNX Runtime {onnxruntime.__version__}: {in_one_line(exc)}"
        ) from exc


def quantize_int8(source: Path, target: Path) -> None:
    """Write `source` with all weights and embeddings in 8 bits, by channel; activations are quantised dynamically.

    Weights use 7 of the 8 bits, because processors without VNNI instructions add products in 16 bits and may overflow.
    """
    root = logging.getLogger()
    level = root.level
    # onnxruntime logs advice about convolutional models to the root logger.
    root.setLevel(logging.ERROR)
    try:
        quantize_dynamic(str(source), str(target), per_channel=True, reduce_range=True, weight_type=QuantType.QInt8)
    finally:
        root.setLevel(level)
    _store_grus_in_bytes(target)


def _store_grus_in_bytes(path: Path) -> None:
    """Store the weights of the graph's GRUs in 8 bits; they are widened again when the graph is loaded.

    ONNX Runtime has no 8-bit GRU: this makes the file smaller, not the computation faster.
    """
    graph_file = onnx.load(path)
    graph = graph_file.graph
    weights = {weight.name: weight for weight in graph.initializer}
    names = [name for node in graph.node if node.op_type == "GRU" for name in node.input[1:3]]
    for name in dict.fromkeys(names):
        graph.initializer.remove(weights[name])
        rows, scales = _in_bytes(onnx.numpy_helper.to_array(weights[name]))
        parts = {f"{name}.bytes": rows, f"{name}.scales": scales}
        graph.initializer.extend(onnx.numpy_helper.from_array(value, part) for part, value in parts.items())
        wide = f"{name}.wide"
        # Not DequantizeLinear, which the runtime would run in every pass instead of once.
        graph.node.insert(0, onnx.helper.make_node("Mul", [wide, f"{name}.scales"], [name]))
        graph.node.insert(0, onnx.helper.make_node("Cast", [f"{name}.bytes"], [wide], to=onnx.TensorProto.FLOAT))
    if names:
        onnx.save(graph_file, path)


def _in_bytes(weights: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return weights [..., rows, columns] as bytes and the scale of each row [..., rows, 1]."""
    scales = np.maximum(np.abs(weights).max(axis=-1, keepdims=True) / _LARGEST_BYTE, _TINY).astype(np.float32)
    return np.round(weights / scales).astype(np.int8), scales


def onnx_probabilities(graph: Path, tokenizer: Tokenizer, texts: Sequence[str]) -> Floats:
    """Return probabilities [texts, labels] of an ONNX graph at temperature 1, each text alone and in one window.

    Raises:
        ModelRejected: the graph cannot be loaded, or fails on a text, as on one that is longer than it reads.
    """
    with _refused(graph, "run by"):
        session = open_session(graph)
        logits = np.stack([session.run(None, _inputs(tokenizer, text))[0][0] for text in texts])
    return cool(np.exp(logits - logits.max(axis=-1, keepdims=True)), 1.0)


def cool(probabilities: Floats, temperature: float) -> Floats:
    """Return probabilities [texts, labels], given (in any scale) at temperature 1, at another temperature."""
    powers = np.maximum(probabilities, _TINY) ** (1.0 / temperature)
    cooled: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return cooled


def agreement(one: Floats, other: Floats) -> Agreement:
    """Compare probabilities [texts, labels] of two engines."""
    same = one.argmax(axis=-1) == other.argmax(axis=-1)
    return Agreement(len(one), float(same.mean()), float(np.abs(one - other).max()))


def require_agreement(result: Agreement, least_same_label: float) -> None:
    """Raise ModelRejected unless the engines give the same label to at least that share of texts."""
    if result.same_label < least_same_label:
        raise ModelRejected(
            f"The int8 engine agrees with full precision on {result.same_label:.1%} of {result.texts} texts; a version "
            f"with int8 alone needs at least {least_same_label:.1%}: train the model further."
        )


def _inputs(tokenizer: Tokenizer, text: str) -> dict[str, NDArray[np.int64]]:
    ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
    return dict(zip(_INPUTS, (ids, np.ones_like(ids)), strict=True))
