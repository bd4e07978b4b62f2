"""What a text is: how it is normalised, what of people in it is masked, which words it has, when it is no text.

A model's manifest names the normaliser that it was trained with (`NORMALIZERS`): it is asked by that one. What is
stored, and what keys are made of, is always the current one's (`CURRENT_NORMALIZER`).
"""

from __future__ import annotations

from sentiment.text.characters import MARKS, NO_WORDS, has_visible_text
from sentiment.text.keys import distinct_key, keyed_digest, near_duplicate_key
from sentiment.text.versions import CURRENT_NORMALIZER, NORMALIZERS
from sentiment.text.words import bare_words, hashtags

__all__ = [
    "CURRENT_NORMALIZER",
    "MARKS",
    "NORMALIZERS",
    "NO_WORDS",
    "bare_words",
    "distinct_key",
    "has_visible_text",
    "hashtags",
    "keyed_digest",
    "near_duplicate_key",
]
