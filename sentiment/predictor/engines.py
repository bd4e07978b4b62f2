"""Which inference engine runs a version: int8 or float ONNX on CPUs, torch on a GPU."""

from __future__ import annotations

from typing import Final, Literal, Protocol

from sentiment.errors import ModelRejected
from sentiment.predictor.batches import Logits, Padded
from sentiment.predictor.onnx_engine import OnnxEngine
from sentiment.validation_messages import listed
from sentiment.version import ENGINE_FILES, EngineName, Version

EngineChoice = EngineName | Literal["auto"]

_FULL_VERSION: Final = "`python -m train_jobs.shipped_model.default_model --corpora … --out …`"


class Engine(Protocol):
    """Runs one forward pass; threads may share it."""

    batch_tokens: int  # padded tokens of a batch that run fastest on it
    pass_tokens: int  # how many padded tokens take as long as what a pass costs whatever its size

    def forward(self, batch: Padded) -> Logits:
        """Return logits float32 [batch, labels]."""
        ...


def choose_engine(version: Version, choice: EngineChoice, device: str) -> EngineName:
    """Return the engine to run `version` with on `device` ("cpu", "cuda", "cuda:0"); "auto" takes the device's own.

    Raises:
        ModelRejected: the version does not hold it, with the command that makes one that does.
    """
    engine = _natural(version, device) if choice == "auto" else choice
    if engine not in version.manifest.engines:
        raise ModelRejected(
            f"version {version.digest[:12]} of {version.manifest.name} holds "
            f"{listed(sorted(version.manifest.engines))}, but engine {engine} needs {ENGINE_FILES[engine]}; "
            f"{_FULL_VERSION} makes a full version, which holds it"
        )
    return engine


def open_engine(version: Version, engine: EngineName, device: str) -> Engine:
    """Load an engine of `version`.

    Raises:
        ModelRejected: its file cannot be loaded, or the device is not there.
    """
    if engine == "torch":
        from sentiment.predictor.torch_engine import TorchEngine  # torch belongs to GPU replicas only

        return TorchEngine(version, device)
    return OnnxEngine(version.file(ENGINE_FILES[engine]))


def _natural(version: Version, device: str) -> EngineName:
    if device != "cpu":
        return "torch"
    return "onnx-int8" if "onnx-int8" in version.manifest.engines else "onnx"
