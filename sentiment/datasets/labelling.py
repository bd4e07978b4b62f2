"""From what a file calls its labels to the platform's names: numbers never get a meaning that nobody gave them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from sentiment.datasets.label_set import smallest_set
from sentiment.errors import InvalidInput
from sentiment.labels import NEGATIVE, NEUTRAL, POSITIVE, THREE_CLASSES

#: Names that leave no doubt; those of aclImdb's folders among them. Letter case does not count.
ALIASES: Final[Mapping[str, str]] = {
    "negative": NEGATIVE,
    "neg": NEGATIVE,
    "neutral": NEUTRAL,
    "neu": NEUTRAL,
    "positive": POSITIVE,
    "pos": POSITIVE,
}
_NUMBER = re.compile(r"[+-]?\d+")
_EXAMPLES: Final = "--labels negative,neutral,positive for 0, 1, 2, or --labels 0=negative,2=neutral,4=positive"


class Labelling:
    """Reads the labels of one source and remembers what it has seen, since a source may not mix two ways of writing.

    `spec` is None (labels are names), names in the order of the numbers from 0 (`negative,neutral,positive`), or
    pairs (`0=negative,2=neutral,4=positive`; then nothing else is known). `label_set` is the one that the names
    in `spec` make up.
    """

    def __init__(self, spec: str | None = None) -> None:
        self._pairs: dict[str, str] | None = None
        self._names: tuple[str, ...] = ()
        self._first: tuple[str, str, str] | None = None
        if spec is not None:
            self._read_spec(spec)
        self.label_set = smallest_set(self._pairs.values() if self._pairs else self._names)

    def knows(self, raw: str) -> bool:
        """Tell whether `raw`, a folder's name, stands for a label."""
        return raw in self._pairs if self._pairs else raw.casefold() in ALIASES

    @property
    def chooses(self) -> bool:
        """Whether pairs were given, so that what is not among them is not wanted."""
        return self._pairs is not None

    def read(self, raw: Any, where: str) -> str | None:
        """Return the label that `raw` stands for; None if it is empty. `where` names the row in errors.

        Raises:
            InvalidInput: it stands for none, it is a number without a meaning, or names and numbers are mixed.
        """
        if (value := plain_cell(raw)) == "":
            return None
        if self._pairs is not None:
            return self._paired(value, where)
        kind = "number" if _NUMBER.fullmatch(value) else "name"
        self._check_mixture(kind, value, where)
        return self._numbered(value, where) if kind == "number" else _named(value, where)

    def _read_spec(self, spec: str) -> None:
        entries = [entry.strip() for entry in spec.split(",")]
        if all("=" in entry for entry in entries):
            pairs = [entry.rsplit("=", 1) for entry in entries]
            self._pairs = {key.strip(): _meaning(name, spec) for key, name in pairs}
        else:
            self._names = tuple(_meaning(entry, spec) for entry in entries)
        if len(set(self._pairs or self._names)) != len(entries):
            raise InvalidInput(f"--labels {spec}: something stands there twice. Write {_EXAMPLES}.", "labels")

    def _paired(self, value: str, where: str) -> str:
        pairs = self._pairs or {}
        if value not in pairs:
            known = ", ".join(pairs)
            raise InvalidInput(
                f"{where} has the label {value!r}; --labels gives a meaning to {known} only. Add {value}=…, with "
                f"{', '.join(THREE_CLASSES)} to choose from.",
                "labels",
            )
        return pairs[value]

    def _numbered(self, value: str, where: str) -> str:
        number = int(value)
        if not self._names:
            raise InvalidInput(f"{where} has the label {value}: say what the numbers mean, as {_EXAMPLES}.", "labels")
        if not 0 <= number < len(self._names):
            raise InvalidInput(
                f"{where} has the label {value}; --labels {','.join(self._names)} gives a meaning to 0 to "
                f"{len(self._names) - 1} only. Give each number its own, as --labels 0=negative,2=neutral,4=positive.",
                "labels",
            )
        return self._names[number]

    def _check_mixture(self, kind: str, value: str, where: str) -> None:
        if self._first is None:
            self._first = (kind, value, where)
        elif self._first[0] != kind:
            _, before, there = self._first
            raise InvalidInput(
                f"The labels are mixed: {there} has {before!r}, {where} has {value!r}. Give every one a meaning, as "
                f"--labels {before}=…,{value}=…, or write them alike.",
                "labels",
            )


def plain_cell(raw: Any) -> str:
    """Return a cell as text: nothing for an empty one, and no fraction where the number has none."""
    if raw is None or raw != raw:  # NaN, which pandas writes for an empty cell
        return ""
    if isinstance(raw, float) and raw.is_integer():
        return str(int(raw))
    return str(raw).strip()


def _named(value: str, where: str) -> str:
    if label := ALIASES.get(value.casefold()):
        return label
    raise InvalidInput(
        f"{where} has the label {value!r}, which is none of {', '.join(THREE_CLASSES)}: say what it means, as "
        f"--labels {value}=positive,…",
        "labels",
    )


def _meaning(name: str, spec: str) -> str:
    if label := ALIASES.get(name.strip().casefold()):
        return label
    raise InvalidInput(f"--labels {spec}: {name!r} is none of {', '.join(THREE_CLASSES)}. Write {_EXAMPLES}.", "labels")
