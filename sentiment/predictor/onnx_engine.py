"""The CPU engine: ONNX Runtime, one thread a forward pass. Parallelism comes from passes side by side."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Final

import onnxruntime

from sentiment.errors import ModelRejected
from sentiment.predictor.batches import Logits, Padded
from sentiment.validation_messages import listed

#: What is not fused: adding, then normalising, takes a quarter of the time of the kernel for both.
_SLOWER_FUSIONS: Final = ["SkipLayerNormFusion"]
_INPUTS: Final = ["attention_mask", "input_ids"]
_OUTPUT: Final = "logits"
_FATAL: Final = 4  # lesser errors are raised as well: logged twice otherwise


class OnnxEngine:
    """Runs a graph of `input_ids`, `attention_mask`, int64 [batch, tokens], to `logits`, float32 [batch, labels]."""

    batch_tokens = 256
    pass_tokens = 14  # of MiniLM in int8: 1 ms a pass, 72 µs a token; others are nearer to it than to none

    def __init__(self, path: Path) -> None:
        try:
            self._session = open_session(path, _options())
        except Exception as exc:  # the library's errors have no public base
            raise ModelRejected(f"{path} cannot be loaded by ONNX Runtime {onnxruntime.__version__}: {exc}") from exc
        inputs = sorted(node.name for node in self._session.get_inputs())
        if inputs != _INPUTS or _OUTPUT not in [node.name for node in self._session.get_outputs()]:
            raise ModelRejected(
                f"{path} has the inputs {listed(inputs)}; a version's graph maps {listed(_INPUTS)} to {_OUTPUT!r}"
            )

    def forward(self, batch: Padded) -> Logits:
        """Return logits float32 [batch, labels]."""
        logits: Logits = self._session.run([_OUTPUT], batch._asdict())[0]
        return logits


def open_session(path: Path, options: onnxruntime.SessionOptions | None = None) -> onnxruntime.InferenceSession:
    """Open a graph on the CPU, its operations fused as they are served; `options` are those of a quiet session."""
    return onnxruntime.InferenceSession(
        path, options or _quiet(), providers=["CPUExecutionProvider"], disabled_optimizers=_SLOWER_FUSIONS
    )


def sums_may_overflow(machine: str, cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Return whether this processor may add int8 products inexactly.

    x86 processors without VNNI add pairs of products in 16 bits, which overflow. Unknown ones are taken for such.
    """
    if machine.lower() not in ("x86_64", "amd64"):
        return False
    return not cpuinfo.is_file() or "_vnni" not in cpuinfo.read_text()


def _quiet() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL
    return options


def _options() -> onnxruntime.SessionOptions:
    options = _quiet()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # keeps a plan for every shape ever seen: memory without bound
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    exact = sums_may_overflow(platform.machine())  # a third slower, so only where it is needed
    options.add_session_config_entry("session.x64quantprecision", str(int(exact)))
    return options
