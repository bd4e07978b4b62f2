"""The versions of the normaliser: a model is asked by the one that it was trained with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sentiment.text.version_1 import normalize_v1
from sentiment.text.version_2 import normalize_v2

NORMALIZERS: Final[dict[str, Callable[[str], str]]] = {"1": normalize_v1, "2": normalize_v2}
CURRENT_NORMALIZER: Final = "2"
