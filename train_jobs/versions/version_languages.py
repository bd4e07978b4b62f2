"""The languages that a trained version names: those that are asked for, or those of what it started from."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from sentiment.language import identified, name_of, open_identifier, parse_languages
from sentiment.training.config import TrainConfig
from sentiment.validation_messages import listed
from sentiment.version import MANIFEST, Manifest

_LOG = logging.getLogger(__name__)

#: Of the encoders that presets start from.
_PRESETS: Final = ("en",)
#: Of more held-out texts in other languages, a version was trained on these too.
_MOST_FOREIGN: Final = 0.1


def version_languages(config: TrainConfig, held_out: Sequence[str]) -> tuple[str, ...]:
    """Return what the config names, else the start's languages; none where the held-out texts are in others.

    None named means that the version answers texts in any language.

    Raises:
        InvalidInput: the config names a language that is unknown.
    """
    if config.languages is not None:
        return parse_languages(config.languages)
    return _unless_foreign(languages_of_start(config.backbone), held_out)


def languages_of_start(backbone: str | None) -> tuple[str, ...]:
    """Return the languages of the encoder that a training starts from: a preset's, or those of a version's folder."""
    if backbone is None:
        return _PRESETS
    try:
        return Manifest.model_validate_json((Path(backbone) / MANIFEST).read_bytes()).languages
    except (OSError, ValidationError):  # no version's folder: of others nothing is known
        return ()


def _unless_foreign(languages: tuple[str, ...], texts: Sequence[str]) -> tuple[str, ...]:
    identify = open_identifier()
    if not languages or not texts or identify is None:
        return languages
    foreign = sum(identified(text, languages, identify).is_foreign for text in texts) / len(texts)
    if foreign <= _MOST_FOREIGN:
        return languages
    named = listed([name_of(language) for language in languages])
    _LOG.warning(
        "%.0f%% of the validation texts are in other languages than %s, which the model started from: the version "
        "names none and answers texts in any. Name those it reads with --languages.",
        foreign * 100,
        named,
    )
    return ()
