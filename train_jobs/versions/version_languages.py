"""The languages of a trained version: those that were requested, or those of the model that it started from."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from sentiment.language import detect_language, name_of, open_identifier, parse_languages
from sentiment.training.config import TrainConfig
from sentiment.validation_messages import listed
from sentiment.version import MANIFEST, Manifest

_LOG = logging.getLogger(__name__)

#: Languages of the encoders that presets start from.
_PRESETS: Final = ("en",)
#: With a larger share of held-out texts in other languages, a version was trained on these languages too.
_MOST_FOREIGN: Final = 0.1


def version_languages(config: TrainConfig, held_out: Sequence[str]) -> tuple[str, ...]:
    """Return the languages that the config names, else those of the backbone.

    The result is empty, which means any language, where the held-out texts are in other languages than the backbone's.

    Raises:
        InvalidInput: the config names an unknown language.
    """
    if config.languages is not None:
        return parse_languages(config.languages)
    return _unless_foreign(languages_of_start(config.backbone), held_out)


def languages_of_start(backbone: str | None) -> tuple[str, ...]:
    """Return the languages of the encoder that a training starts from: the presets', or those of a version folder."""
    if backbone is None:
        return _PRESETS
    try:
        return Manifest.model_validate_json((Path(backbone) / MANIFEST).read_bytes()).languages
    except (OSError, ValidationError):  # not a version folder: its languages are unknown
        return ()


def _unless_foreign(languages: tuple[str, ...], texts: Sequence[str]) -> tuple[str, ...]:
    identify = open_identifier()
    if not languages or not texts or identify is None:
        return languages
    foreign = sum(detect_language(text, languages, identify).is_foreign for text in texts) / len(texts)
    if foreign <= _MOST_FOREIGN:
        return languages
    named = listed([name_of(language) for language in languages])
    _LOG.warning(
        "%.0f%% of the validation texts are in other languages than %s, which the backbone was trained on: the version "
        "will answer texts in any language. Name the languages that it reads with --languages.",
        foreign * 100,
        named,
    )
    return ()
