"""The predictor: a version folder, loaded and checked, that turns lists of normalised texts into answers."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from sentiment.errors import ModelRejected
from sentiment.labels import prior_of
from sentiment.language import Identify, open_identifier
from sentiment.predictor.batches import Logits, Padded, Window, cut, forward_each
from sentiment.predictor.engines import Engine, EngineChoice, choose_engine, open_engine
from sentiment.predictor.language_gate import LanguageGate
from sentiment.predictor.tokenisation import TextPieces, load_tokenisation
from sentiment.records import Answers
from sentiment.version import EngineName, SelfCheck, Version, read_version

logger = logging.getLogger(__name__)

#: How far an engine may be from the probabilities that were recorded of its precision; torch may compute in bfloat16.
_TOLERANCE: Final[dict[EngineName, float]] = {"onnx-int8": 0.02, "onnx": 0.02, "torch": 0.05}
#: How far full precision may be from the int8 engine's, where the version's maker recorded no others.
_QUANTISED: Final = 0.1
_WARM_LENGTHS: Final = (8, 32, 64)


class Predictor:
    """Classifies lists of texts. Threads may share one; at most `threads` forward passes run at once."""

    def __init__(
        self,
        version: Version,
        engine: Engine,
        name: EngineName,
        threads: int,
        batch_tokens: int | None,
        identify: Identify | None = None,
    ) -> None:
        self.version = version
        self.engine: EngineName = name
        self.labels = version.manifest.labels
        self.batch_tokens = batch_tokens or engine.batch_tokens
        self._engine = engine
        self._tokenisation = load_tokenisation(version)
        self._gate = LanguageGate(version.manifest.languages, identify)
        self._prior = prior_of(self.labels)
        self._temperature = version.manifest.temperature[name]
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="forward")

    @classmethod
    def load(
        cls,
        version: Version | Path | str,
        *,
        engine: EngineChoice = "auto",
        threads: int = 2,
        batch_tokens: int | None = None,
        device: str = "cpu",
        identify_languages: bool = True,
    ) -> Self:
        """Load a version (a folder is verified first) and check that it answers as its manifest says.

        `threads` forward passes run side by side, one thread each. `batch_tokens` bounds the padded tokens of a pass;
        None takes what is fastest on the engine. With `identify_languages` each text's language is told where it can
        be, and a text that is certainly in none of the version's is not supported.

        Raises:
            ModelRejected: the files are not the manifest's, the engine is not held, or the answers are not as recorded.
        """
        checked = version if isinstance(version, Version) else read_version(Path(version))
        name = choose_engine(checked, engine, device)
        identify = open_identifier() if identify_languages else None
        predictor = cls(checked, open_engine(checked, name, device), name, threads, batch_tokens, identify)
        predictor.check_self()
        return predictor

    def predict(self, texts: Sequence[str], *, gated: bool = True) -> Answers:
        """Classify normalised texts, equal ones once. A text that the model fails on gets an error, the others answers.

        A text that the version cannot read gets the prior; not `gated`, it gets what the model says, as a measurement
        of the model wants it. The answers bear version 0: a folder does not know its number in the registry.
        """
        started = time.perf_counter()
        places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
        pieces = self._tokenisation.split(list(places))
        readings = [self._gate.read(text, pieces[place].unknown_share) for text, place in places.items()]
        batches = cut(_windows(pieces), self.batch_tokens, self._engine.pass_tokens)
        merged = _merge(batches, self._run(batches), len(places), len(self.labels))
        probabilities = [
            tuple(row) if reading.is_supported or not gated else self._prior
            for row, reading in zip(_softmax(merged.logits / self._temperature).tolist(), readings, strict=True)
        ]
        order = [places[text] for text in texts]
        return Answers(
            model=self.version.manifest.name,
            version=0,
            labels=self.labels,
            probabilities=[None if place in merged.errors else probabilities[place] for place in order],
            truncated=[pieces[place].truncated for place in order],
            errors={index: merged.errors[place] for index, place in enumerate(order) if place in merged.errors},
            tokens=sum(len(window.ids) for batch in batches for window in batch),
            padded_tokens=sum(len(batch) * len(batch[0].ids) for batch in batches),
            inference_ms=(time.perf_counter() - started) * 1000,
            languages=[readings[place].language for place in order],
            supported=[readings[place].is_supported for place in order],
        )

    def check_self(self, most: int | None = None) -> float:
        """Classify the manifest's self-check texts (its first `most`), each alone, and compare with what it recorded.

        Returns how far the probability that is furthest off is from its record.

        Raises:
            ModelRejected: a probability is further off than this engine may be.
        """
        worst = 0.0
        for check in self.version.manifest.self_check[:most]:
            actual = self.predict([check.text], gated=False).probabilities[0]
            recorded, allowed = self._recorded(check)
            off = _distance(actual, recorded)
            worst = max(worst, off)
            if off > allowed:
                raise ModelRejected(
                    f"version {self.version.digest[:12]} on engine {self.engine} says {actual} of {check.text!r}, the "
                    f"record {recorded}: {off:.3f} apart, allowed {allowed}. This processor or runtime "
                    "computes otherwise, or the files are not one model's: make the version anew"
                )
        return worst

    def _recorded(self, check: SelfCheck) -> tuple[tuple[float, ...], float]:
        """Return what was recorded for this engine's precision, and how far it may be from that."""
        if self.engine == "onnx-int8":
            return check.probabilities, _TOLERANCE[self.engine]
        return (check.full, _TOLERANCE[self.engine]) if check.full else (check.probabilities, _QUANTISED)

    def warm_up(self) -> None:
        """Run passes of the shapes that traffic brings, so that no request pays for first-time allocations."""
        longest = self.version.manifest.window_tokens
        lengths = (*(length for length in _WARM_LENGTHS if length < longest), longest)
        shapes = [(max(self.batch_tokens // length, 1), length) for length in lengths]
        list(self._pool.map(self._engine.forward, [_blank(shape) for shape in shapes * self._threads]))

    def _run(self, batches: list[list[Window]]) -> list[list[Logits | Exception]]:
        return list(self._pool.map(self._forward_each, batches))

    def _forward_each(self, batch: list[Window]) -> list[Logits | Exception]:
        return forward_each(batch, self._engine.forward, self._tokenisation.pad_id)


@dataclass(frozen=True)
class _Merged:
    """Logits [texts, labels], the mean of each text's windows by their weights; and why a text has none."""

    logits: NDArray[np.float64]
    errors: dict[int, str]


def _windows(pieces: Sequence[TextPieces]) -> list[Window]:
    return [
        Window(place, ids, weight)
        for place, text in enumerate(pieces)
        for ids, weight in zip(text.windows, text.body_tokens, strict=True)
    ]


def _merge(batches: list[list[Window]], results: list[list[Logits | Exception]], texts: int, labels: int) -> _Merged:
    sums, weights, errors = np.zeros((texts, labels)), np.zeros((texts, 1)), {}
    for batch, rows in zip(batches, results, strict=True):
        for window, row in zip(batch, rows, strict=True):
            if isinstance(row, Exception):
                errors[window.text] = _reason(row)
                continue
            sums[window.text] += row * window.weight
            weights[window.text] += window.weight
    return _Merged(sums / np.maximum(weights, 1), errors)


def _reason(failure: Exception) -> str:
    logger.warning("the model failed on a text: %s", failure)
    return f"the model failed on it ({type(failure).__name__})"


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: NDArray[np.float64] = exponents / exponents.sum(axis=-1, keepdims=True)
    return shares


def _distance(actual: tuple[float, ...] | None, recorded: tuple[float, ...]) -> float:
    return 1.0 if actual is None else max(abs(one - other) for one, other in zip(actual, recorded, strict=True))


def _blank(shape: tuple[int, int]) -> Padded:
    return Padded(np.zeros(shape, dtype=np.int64), np.ones(shape, dtype=np.int64))
