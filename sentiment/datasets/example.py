"""What a dataset version consists of: examples."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """A normalised text and what is known of it; `label` is None where nobody has labelled it.

    `source` and `language` cut a test set into slices; they are empty where the data do not tell.
    """

    text: str
    label: str | None
    source: str = ""
    language: str = ""
