"""What commands need beyond the client's packages, and the line that installs it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from sentiment.errors import InvalidInput

_TRAIN: Final = ("torch", "ray", "mlflow", "tokenizers", "safetensors", "scipy", "matplotlib", "yaml")


def require_train() -> None:
    """Raise InvalidInput, naming the line that installs it, unless the `train` extra is installed."""
    missing = [package for package in _TRAIN if find_spec(package) is None]
    if missing:
        raise InvalidInput(
            f"Training needs packages that are not installed ({', '.join(missing)}): "
            "pip install 'undertone[train]', or in a clone: make train-env"
        )
